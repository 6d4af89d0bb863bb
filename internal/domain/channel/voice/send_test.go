package voice_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	model "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/voice"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// calls is an API in which some calls are live.
type calls struct {
	*voice.Provider

	channel provider.Channel
	live    string
	status  int // of an update; 0 for what fits live
	paths   []string
	forms   []url.Values
}

func newCalls(t *testing.T, live string) *calls {
	t.Helper()
	a := &calls{channel: channel(), live: live}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	a.Provider, a.channel.APIBaseURL = &voice.Provider{Client: client}, server.URL
	return a
}

func (a *calls) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	path := strings.TrimPrefix(r.URL.RequestURI(), "/2010-04-01/Accounts/"+account)
	a.paths, a.forms = append(a.paths, path), append(a.forms, form)
	switch {
	case a.status != 0:
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, `{"code":20003,"message":"no"}`)
	case path == "/Calls.json":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid":"`+second+`","status":"queued"}`)
	case path == "/Calls/"+a.live+".json":
		_, _ = io.WriteString(w, `{"sid":"`+a.live+`","status":"in-progress"}`)
	case strings.HasPrefix(path, "/IncomingPhoneNumbers.json"):
		_, _ = io.WriteString(w, `{"incoming_phone_numbers":[{"sid":"PN0123456789abcdef0123456789abcdef"}]}`)
	case strings.HasPrefix(path, "/IncomingPhoneNumbers/"):
		_, _ = io.WriteString(w, "{}")
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"code":21220,"message":"Call is not in-progress. Cannot redirect."}`)
	}
}

func (a *calls) send(t *testing.T, m provider.Outbound) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return a.Send(ctx, a.channel, m)
}

// TestTextIsSpokenOnTheCall and heard by the next request of Twilio.
func TestTextIsSpokenOnTheCall(t *testing.T) {
	t.Parallel()
	a := newCalls(t, live)
	sent, err := a.send(t, provider.Outbound{
		To: "+48123456789", Thread: live, Key: "key-0", Text: "<Hangup/> & \"5 < 6\" \x00", Automatic: true, References: []string{live + ":0"},
	})
	require.NoError(t, err)
	require.Equal(t, provider.Sent{ExternalIDs: []string{live + ":said:key-0"}}, sent)
	require.Equal(t, []string{"/Calls/" + live + ".json"}, a.paths)
	spoken := parse(t, a.forms[0].Get("Twiml"))
	require.Equal(t, "<Hangup/> & \"5 < 6\" \uFFFD", spoken.Gather.Say.Text, "the text is no TwiML")
	require.Nil(t, spoken.Hangup)

	received, _ := receive(t, spoken.Gather.Action, form("SpeechResult", "Thanks"))
	require.Equal(t, provider.Status{ExternalID: live + ":said:key-0", Status: model.DeliveryStatusDELIVERED}, received.Items[0])
	require.Equal(t, "Thanks", received.Items[1].(provider.Message).Text)
	require.Equal(t, live, received.Items[1].(provider.Message).Thread)
}

func TestOperatorsCallBackAfterTheCall(t *testing.T) {
	t.Parallel()
	a := newCalls(t, second)
	reply := provider.Outbound{To: "+48123456789", Thread: live, Key: "key-0", Text: "Hello again", References: []string{live + ":0"}}
	sent, err := a.send(t, reply)
	require.NoError(t, err)
	require.Equal(t, []string{second + ":said:key-0"}, sent.ExternalIDs)
	require.Equal(t, []string{"/Calls/" + live + ".json", "/Calls.json"}, a.paths)
	require.Equal(t, "+48123456789", a.forms[1].Get("To"))
	require.Equal(t, "+15005550006", a.forms[1].Get("From"))
	received, _ := receive(t, parse(t, a.forms[1].Get("Twiml")).Gather.Action, form("CallSid", second, "Direction", "outbound-api", "To", "+48123456789", "SpeechResult", "Yes?"))
	answer := received.Items[1].(provider.Message)
	require.Equal(t, live, answer.Thread, "the conversation goes on")
	require.Equal(t, "+48123456789", answer.From.ExternalID)

	reply.References = append(reply.References, sent.ExternalIDs[0], answer.ExternalID)
	_, err = a.send(t, reply)
	require.NoError(t, err)
	require.Equal(t, "/Calls/"+second+".json", a.paths[2], "the latest call is spoken to")

	received, _ = receive(t, a.forms[1].Get("StatusCallback"), form("CallSid", second, "CallStatus", "completed"))
	require.Contains(t, received.Items, provider.Item(provider.End{Thread: live}))
}

func TestAgentsDoNotCallBack(t *testing.T) {
	t.Parallel()
	a := newCalls(t, second)
	_, err := a.send(t, provider.Outbound{To: "+48123456789", Thread: live, Key: "key-0", Text: "x", Automatic: true})
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok)
	require.Equal(t, provider.WindowClosed, failed.Kind)
	require.Len(t, a.paths, 1)
}

func TestOperatorsCallFirst(t *testing.T) {
	t.Parallel()
	a := newCalls(t, "")
	sent, err := a.send(t, provider.Outbound{To: "+48123456789", Key: "key-0", Text: "Good morning"})
	require.NoError(t, err)
	require.Equal(t, provider.Sent{ExternalIDs: []string{second + ":said:key-0"}, Thread: second}, sent)
	received, _ := receive(t, a.forms[0].Get("StatusCallback"), form("CallSid", second, "CallStatus", "no-answer"))
	require.Equal(t, model.DeliveryStatusFAILED, received.Items[0].(provider.Status).Status)
	require.Equal(t, sent.ExternalIDs[0], received.Items[0].(provider.Status).ExternalID)

	_, err = a.send(t, provider.Outbound{To: "call:" + live, Key: "key-0", Text: "x"})
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok)
	require.Equal(t, provider.Blocked, failed.Kind, "the number is hidden")
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	a := newCalls(t, live)
	message := provider.Outbound{To: "+48123456789", Thread: live, Key: "key-0", Text: "x"}
	for status, kind := range map[int]provider.Kind{401: provider.Credentials, 429: provider.Retryable, 503: provider.Retryable} {
		a.status = status
		_, err := a.send(t, message)
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, kind, failed.Kind)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failed.Cause), token)
	}
	calls := len(a.paths)
	message.Text = strings.Repeat("&", 2000)
	_, err := a.send(t, message)
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok)
	require.Equal(t, provider.Permanent, failed.Kind)
	require.Len(t, a.paths, calls, "Twilio would refuse it")
}

func TestHooksAreSetAndRemoved(t *testing.T) {
	t.Parallel()
	a := newCalls(t, "")
	require.NoError(t, a.Connect(t.Context(), a.channel))
	require.Equal(t, url.Values{"VoiceUrl": {hook}, "VoiceMethod": {"POST"}, "StatusCallback": {hook + "?event=status"}, "StatusCallbackMethod": {"POST"}}, a.forms[1])
	require.NoError(t, a.Disconnect(t.Context(), a.channel))
	require.Empty(t, a.forms[3].Get("VoiceUrl"))
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	p := &voice.Provider{}
	require.Empty(t, p.Validate(channel()))
	for _, config := range []string{`{}`, `{"from":"123"}`, `{"from":"+48123456789","mode":"telepathy"}`, `[]`} {
		require.Len(t, p.Validate(provider.Channel{Config: json.RawMessage(config)}), 1, config)
	}
	require.Empty(t, p.Validate(provider.Channel{Config: json.RawMessage(`{"from":"+48123456789","mode":"gather"}`)}))
}
