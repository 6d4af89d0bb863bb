package hooks_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/testing/apitest"
)

const (
	caller = "+48100000001"
	// patience bounds what must happen, and tick is how often it is looked for.
	patience = time.Minute
	tick     = 10 * time.Millisecond
)

// phone is a phone number whose calls use WebSockets.
type phone struct {
	*apitest.Server

	sim     *simulator.Voice
	control *simulator.Control
	token   string
	channel api.ChannelDetail
	posts   atomic.Int64 // calls that were changed over HTTP
}

func openPhone(t *testing.T) *phone {
	t.Helper()
	p := &phone{Server: apitest.New(t, apitest.Options{Workers: true, PublicURL: true}), sim: simulator.NewRelay()}
	provides := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/Calls") {
			p.posts.Add(1)
		}
		p.control.ServeHTTP(w, r)
	}))
	t.Cleanup(provides.Close)
	p.control = simulator.NewControl(p.sim, provides.URL, http.DefaultClient)
	p.token = p.Token(t, p.Workspace(t, "shop"))
	agent := apitest.Decode[api.AgentDetail](t, p.Post(t, p.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	settings := p.sim.Settings()
	p.channel = apitest.Decode[api.ChannelDetail](t, p.Post(t, p.token, "/channels", map[string]any{
		"type": "VOICE", "name": "Phone", "agentId": agent, "apiBaseUrl": provides.URL, "config": settings.Config, "credentials": settings.Credentials,
	}).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusCONNECTED, p.channel.Status, "%+v", p.channel.Error)
	p.control.SetHook(*p.channel.HookURL)
	return p
}

// does lets the caller do something.
func (p *phone) does(t *testing.T, kind simulator.Kind, text string) {
	t.Helper()
	_, err := p.control.Report(t.Context(), "", simulator.Event{Kind: kind, From: caller, Text: text})
	require.NoError(t, err)
}

// answered lets the caller speak, and hands the conversation off.
func (p *phone) answered(t *testing.T) uuid.UUID {
	t.Helper()
	p.does(t, simulator.Wrote, "Where is my parcel?")
	var id uuid.UUID
	require.Eventually(t, func() bool {
		for _, one := range apitest.Decode[[]api.Conversation](t, p.Get(t, p.token, "/conversations").Want(t, http.StatusOK)) {
			id = one.ID
		}
		return id != uuid.Nil
	}, patience, tick)
	p.Post(t, p.token, "/conversations/"+id.String()+"/hand-off", `{}`).Want(t, http.StatusOK)
	return id
}

func (p *phone) reply(t *testing.T, conversation uuid.UUID, text string) {
	t.Helper()
	p.Post(t, p.token, "/conversations/"+conversation.String()+"/operator-message", map[string]any{"content": text}).Want(t, http.StatusCreated)
}

// becomes waits until the messages of a conversation are these: status and text.
func (p *phone) becomes(t *testing.T, conversation uuid.UUID, want ...string) []api.Message {
	t.Helper()
	var messages []api.Message
	var got []string
	ok := func() bool {
		messages = apitest.Decode[[]api.Message](t, p.Get(t, p.token, "/conversations/"+conversation.String()+"/messages?order=asc").Want(t, http.StatusOK))
		got = nil
		for _, one := range messages {
			got = append(got, string(one.DeliveryStatus)+" "+one.Content)
		}
		return strings.Join(got, "\n") == strings.Join(want, "\n")
	}
	require.Eventually(t, ok, patience, tick, "want %q", want)
	return messages
}

func TestACallIsTranscribedAndSpokenTo(t *testing.T) {
	t.Parallel()
	p := openPhone(t)
	call := p.answered(t)
	p.reply(t, call, "It is on its way.")
	p.reply(t, call, "It arrives today.")
	p.becomes(t, call, "RECEIVED Where is my parcel?", "SENT It is on its way.", "SENT It arrives today.")
	p.does(t, simulator.Wrote, "Thanks!")
	p.becomes(t, call, "RECEIVED Where is my parcel?", "DELIVERED It is on its way.", "DELIVERED It arrives today.", "RECEIVED Thanks!")
	p.spoke(t, "It is on its way.", "It arrives today.")
	require.Zero(t, p.posts.Load(), "both were spoken over the WebSocket")
	p.does(t, simulator.Blocked, "")
	require.Eventually(t, func() bool { return p.status(t, call) == api.ConversationStatusCLOSED }, patience, tick, "who hangs up ends the conversation")
	require.Eventually(t, func() bool {
		return p.count(t, "SELECT count(*) FROM conversations WHERE held_by IS NOT NULL") == 0
	}, patience, tick)
}

// spoke waits until the caller has heard these texts.
func (p *phone) spoke(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(p.sim.Accepted()) >= len(want) }, patience, tick)
	var spoken []string
	for _, one := range p.sim.Accepted() {
		spoken = append(spoken, one.Text)
	}
	require.Equal(t, want, spoken)
}

// count is the result of a query.
func (p *phone) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, p.DB.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func (p *phone) status(t *testing.T, conversation uuid.UUID) api.ConversationStatus {
	t.Helper()
	return apitest.Decode[api.ConversationDetail](t, p.Get(t, p.token, "/conversations/"+conversation.String()).Want(t, http.StatusOK)).Status
}

// TestACallerInterrupts: what was heard stays, and what Twilio has not spoken yet fails.
func TestACallerInterrupts(t *testing.T) {
	t.Parallel()
	p := openPhone(t)
	call := p.answered(t)
	for _, text := range []string{"One moment.", "Your parcel left Warsaw, then it went to Berlin.", "Anything else?"} {
		p.reply(t, call, text)
	}
	p.becomes(t, call, "RECEIVED Where is my parcel?", "SENT One moment.", "SENT Your parcel left Warsaw, then it went to Berlin.", "SENT Anything else?")
	p.does(t, simulator.Interrupted, "your parcel left Warsaw then")
	p.does(t, simulator.Wrote, "When?")
	messages := p.becomes(t, call, "RECEIVED Where is my parcel?", "DELIVERED One moment.", "DELIVERED your parcel left Warsaw then…", "FAILED Anything else?", "RECEIVED When?")
	require.NotNil(t, messages[2].EditedAt)
	p.reply(t, call, "At six.")
	p.becomes(t, call, "RECEIVED Where is my parcel?", "DELIVERED One moment.", "DELIVERED your parcel left Warsaw then…", "FAILED Anything else?", "RECEIVED When?", "SENT At six.")
}

// TestACallGoesOnAfterItsConnectionBreaks: Twilio asks how to go on, and connects again.
func TestACallGoesOnAfterItsConnectionBreaks(t *testing.T) {
	t.Parallel()
	p := openPhone(t)
	call := p.answered(t)
	p.reply(t, call, "first")
	p.becomes(t, call, "RECEIVED Where is my parcel?", "SENT first")
	before := p.holder(t, call)
	p.sim.Fail(simulator.Reconnect)
	require.Eventually(t, func() bool { return p.holder(t, call) != before && p.holder(t, call) != uuid.Nil }, patience, tick, "another connection has the conversation")
	p.reply(t, call, "second")
	p.does(t, simulator.Wrote, "Thanks!")
	require.Eventually(t, func() bool {
		return p.count(t, "SELECT count(*) FROM messages WHERE content = 'second' AND delivery_status IN ('SENT', 'DELIVERED')") == 1
	}, patience, tick)
	p.spoke(t, "first", "second")
	require.Equal(t, 1, p.count(t, "SELECT count(*) FROM conversations"), "it is the same conversation")
}

func (p *phone) holder(t *testing.T, conversation uuid.UUID) (holder uuid.UUID) {
	t.Helper()
	require.NoError(t, p.DB.QueryRow(t.Context(), "SELECT coalesce(held_by, '00000000-0000-0000-0000-000000000000') FROM conversations WHERE id = $1", conversation).Scan(&holder))
	return holder
}

func TestConnectionsThatAreNotSignedAreRejected(t *testing.T) {
	t.Parallel()
	p := openPhone(t)
	hook := "ws" + strings.TrimPrefix(*p.channel.HookURL, "http")
	at := hook + "/relay/CA0123456789abcdef0123456789abcdef"
	secret := p.sim.Settings().Credentials["authToken"]
	good := twilio.Sign(secret, at, nil)
	for _, one := range []struct {
		name, at, signature string
		status              int
	}{
		{"signed", at, good, http.StatusSwitchingProtocols},
		{"missing", at, "", http.StatusUnauthorized},
		{"truncated", at, good[:12], http.StatusUnauthorized},
		{"with another secret", at, twilio.Sign("another", at, nil), http.StatusUnauthorized},
		{"of another call", strings.Replace(at, "CA0", "CA1", 1), good, http.StatusUnauthorized},
		{"of the hook", hook, twilio.Sign(secret, hook, nil), http.StatusUnauthorized},
		{"of no channel", strings.Replace(at, p.channel.ID.String(), uuid.NewString(), 1), good, http.StatusNotFound},
	} {
		conn, response, err := websocket.Dial(t.Context(), one.at, &websocket.DialOptions{HTTPHeader: http.Header{"X-Twilio-Signature": {one.signature}}})
		require.NotNil(t, response, one.name)
		require.Equal(t, one.status, response.StatusCode, one.name)
		if err == nil {
			require.NoError(t, conn.CloseNow())
		} else {
			require.NoError(t, response.Body.Close())
		}
	}
}
