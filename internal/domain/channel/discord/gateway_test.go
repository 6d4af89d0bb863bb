package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// patience bounds what must happen.
const patience = 2 * time.Minute

// rare is an interval of heartbeats, in milliseconds, longer than a test.
const rare = 300_000

type frame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
}

// gateway is a Gateway whose connections a test handles.
type gateway struct {
	*bot

	accepted chan *peer
	state    json.RawMessage
	items    chan provider.Item
	ended    chan error
	fail     error // of deliver
}

// peer is the server's end of a connection.
type peer struct {
	*websocket.Conn

	beats int
}

// newGateway returns a bot with a Gateway that also serves /gateway/bot with a limit.
func newGateway(t *testing.T, limit string) *gateway {
	t.Helper()
	g := &gateway{accepted: make(chan *peer, 10), items: make(chan provider.Item, 100), ended: make(chan error, 10), state: json.RawMessage("{}")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("v") != "10" || r.URL.Query().Get("encoding") != "json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		p := &peer{Conn: conn}
		g.accepted <- p
		<-t.Context().Done() // the test has the connection
		_ = conn.CloseNow()
	}))
	t.Cleanup(server.Close)
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	g.bot = newBot(t, respond(http.StatusOK, `{"url":"`+url+`","shards":1,"session_start_limit":`+limit+`}`))
	t.Cleanup(server.CloseClientConnections)
	return g
}

const unlimited = `{"total":1000,"remaining":999,"reset_after":14400000,"max_concurrency":1}`

// listen listens with the state so far until stop is called.
func (g *gateway) listen(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := g.channel
	c.State = g.state
	go func() {
		g.ended <- g.Listen(ctx, c, func(_ context.Context, items []provider.Item, state json.RawMessage) error {
			if g.fail != nil {
				return g.fail
			}
			g.state = state
			for _, one := range items {
				g.items <- one
			}
			return nil
		})
	}()
	t.Cleanup(cancel)
	return cancel
}

func wait[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		require.Fail(t, "it did not happen")
		panic("unreachable")
	}
}

func (p *peer) send(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, p.Write(t.Context(), websocket.MessageText, []byte(text)))
}

// next returns the next payload that is no heartbeat, and acknowledges those.
func (p *peer) next(t *testing.T, op int) (f frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		f = frame{}
		require.NoError(t, wsjson.Read(ctx, p.Conn, &f))
		if f.Op == 1 {
			p.beats++
			p.send(t, `{"op":11}`)
		}
		if f.Op == op {
			return f
		}
	}
}

// greet says hello and returns what the client begins with.
func (p *peer) greet(t *testing.T, interval, op int) map[string]any {
	t.Helper()
	p.send(t, fmt.Sprintf(`{"op":10,"d":{"heartbeat_interval":%d}}`, interval))
	var got map[string]any
	require.NoError(t, json.Unmarshal(p.next(t, op).Data, &got))
	return got
}

func (g *gateway) ready(t *testing.T, p *peer) {
	t.Helper()
	require.Equal(t, map[string]any{
		"token": token, "intents": float64(4608), "properties": map[string]any{"os": "linux", "browser": "convo", "device": "convo"},
	}, p.greet(t, rare, 2))
	url := g.gatewayURL(t)
	p.send(t, `{"op":0,"s":1,"t":"READY","d":{"v":10,"session_id":"session-1","resume_gateway_url":"`+url+`","user":{"id":"9","bot":true}}}`)
}

func (g *gateway) gatewayURL(t *testing.T) string {
	t.Helper()
	var found struct {
		URL string `json:"url"`
	}
	require.NoError(t, json.Unmarshal([]byte(g.text), &found))
	return found.URL
}

func create(sequence int, id, content string) string {
	return fmt.Sprintf(`{"op":0,"s":%d,"t":"MESSAGE_CREATE","d":{"id":"%s","type":0,"channel_id":"77","author":{"id":"5","username":"anna"},"content":%q,"timestamp":"2026-01-02T03:04:05.678000+00:00"}}`, sequence, id, content)
}

// TestMessagesAreReceived also if there are some between them that cannot be read. See
// TestNothingIsMissedBetweenConnections for what follows.
func TestMessagesAreReceived(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.listen(t)
	p := wait(t, g.accepted)
	g.ready(t, p)
	p.send(t, create(2, "100", "Hello"))
	require.Equal(t, "Hello", wait(t, g.items).(provider.Message).Text)
	p.send(t, `{"op":0,"s":3,"t":"MESSAGE_CREATE","d":{"id":7}}`)  // cannot be read
	p.send(t, `{"op":0,"s":4,"t":"SOMETHING_NEW","d":{"id":"1"}}`) // not known
	p.send(t, `{"op":0,"s":5,"t":"MESSAGE_DELETE","d":{"id":"100","channel_id":"77"}}`)
	require.Equal(t, provider.Edit{ExternalID: "77:100", Removed: true}, wait(t, g.items))
	p.send(t, `{"op":1,"d":null}`)
	for sequence := ""; sequence != "5"; { // a heartbeat was asked for; the first one may be earlier
		sequence = string(p.next(t, 1).Data)
	}
}

func TestHeartbeatsAreSentAndMustBeAcknowledged(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.listen(t)
	p := wait(t, g.accepted)
	const interval = 5000 // long enough for a slow machine to acknowledge
	p.greet(t, interval, 2)
	for p.beats < 2 {
		p.next(t, 1)
	}
	// No longer acknowledged. Reading on, so that only that is wrong.
	go func() {
		for {
			if _, _, err := p.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	require.Equal(t, provider.Retryable, failure(t, wait(t, g.ended)).Kind)
}

func TestCloseCodesAreClassified(t *testing.T) {
	t.Parallel()
	for code, want := range map[websocket.StatusCode]struct {
		kind  provider.Kind
		state string
	}{
		4004: {provider.Credentials, `{"sessionId":"session-1","sequence":4,"url":"%s"}`},
		4014: {provider.Credentials, `{"sessionId":"session-1","sequence":4,"url":"%s"}`},
		4000: {provider.Retryable, `{"sessionId":"session-1","sequence":4,"url":"%s"}`},
		4009: {provider.Retryable, `{}`},
		1006: {provider.Retryable, `{"sessionId":"session-1","sequence":4,"url":"%s"}`}, // no close at all
	} {
		g := newGateway(t, unlimited)
		state := strings.ReplaceAll(`{"sessionId":"session-1","sequence":4,"url":"%s"}`, "%s", g.gatewayURL(t))
		g.state = json.RawMessage(state)
		g.listen(t)
		p := wait(t, g.accepted)
		p.greet(t, rare, 6)
		if code == websocket.StatusAbnormalClosure {
			require.NoError(t, p.CloseNow())
		} else {
			_ = p.Close(code, "why")
		}
		err := wait(t, g.ended)
		require.Equal(t, want.kind, failure(t, err).Kind, code)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failure(t, err).Cause), token)
		require.JSONEq(t, strings.ReplaceAll(want.state, "%s", g.gatewayURL(t)), string(g.state), code)
	}
}

func TestASessionGoesOnElsewhereIfItsServerIsGone(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.state = json.RawMessage(`{"sessionId":"session-1","sequence":4,"url":"ws://127.0.0.1:1"}`)
	g.listen(t)
	require.Equal(t, provider.Retryable, failure(t, wait(t, g.ended)).Kind)
	g.listen(t)
	require.Equal(t, map[string]any{"token": token, "session_id": "session-1", "seq": float64(4)}, wait(t, g.accepted).greet(t, rare, 6))
}

// TestSessionsBeyondTheLimitWait until Discord allows another.
func TestSessionsBeyondTheLimitWait(t *testing.T) {
	t.Parallel()
	g := newGateway(t, `{"total":1000,"remaining":0,"reset_after":3600000,"max_concurrency":1}`)
	stop := g.listen(t)
	require.Eventually(t, func() bool { return g.count() == 1 }, patience, 10*time.Millisecond)
	stop()
	require.Error(t, wait(t, g.ended))
	require.Empty(t, g.accepted)

	soon := newGateway(t, `{"total":1000,"remaining":0,"reset_after":1,"max_concurrency":1}`)
	soon.listen(t)
	wait(t, soon.accepted).greet(t, rare, 2)
}

func TestWhatIsNotStoredComesAgain(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.state = json.RawMessage(`{"sessionId":"session-1","sequence":4,"url":"` + g.gatewayURL(t) + `"}`)
	g.fail = errors.New("the database is away")
	g.listen(t)
	p := wait(t, g.accepted)
	p.greet(t, rare, 6)
	p.send(t, create(5, "100", "Hello"))
	require.ErrorIs(t, wait(t, g.ended), g.fail)
	g.fail = nil
	g.listen(t)
	require.InDelta(t, 4, wait(t, g.accepted).greet(t, rare, 6)["seq"], 0)
}

func TestChannelsWithoutTheGatewayConnectNowhere(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.channel.Config = json.RawMessage(strings.Replace(string(g.channel.Config), "{", `{"gateway":false,`, 1))
	g.listen(t)()
	require.NoError(t, wait(t, g.ended))
	require.Zero(t, g.count())
}

func TestThePrivateNetworkIsNoGateway(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.state = json.RawMessage(`{"sessionId":"session-1","sequence":4,"url":"wss://10.0.0.1"}`)
	g.listen(t)
	require.Contains(t, failure(t, wait(t, g.ended)).Detail, "private")
}
