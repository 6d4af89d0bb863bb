package voice_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/domain/channel/voice"
)

// relayed is the TwiML that connects a call to a WebSocket.
type relayed struct {
	Connect *struct {
		Action string `xml:"action,attr"`
		Relay  struct {
			URL      string `xml:"url,attr"`
			Greeting string `xml:"welcomeGreeting,attr"`
			Language string `xml:"language,attr"`
			Voice    string `xml:"voice,attr"`
		} `xml:"ConversationRelay"`
	} `xml:"Connect"`
	Gather *struct{} `xml:"Gather"`
	Hangup *struct{} `xml:"Hangup"`
}

func relayChannel() provider.Channel {
	c := channel()
	c.Config = json.RawMessage(`{"accountSid":"` + account + `","from":"+15005550006","mode":"relay","language":"pl-PL","voice":"Ewa","greeting":"<Dzień> & \"dobry\""}`)
	return c
}

// onRelay is what the channel lets Twilio do after a request.
func onRelay(t *testing.T, to string, more ...string) (does relayed) {
	t.Helper()
	f := form(more...)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, nil)
	require.NoError(t, err)
	received, err := (&voice.Provider{}).Receive(relayChannel(), provider.Request{
		Method: http.MethodPost, Query: request.URL.Query(), Body: []byte(f.Encode()), Header: http.Header{"X-Twilio-Signature": {twilio.Sign(token, to, f)}},
	})
	require.NoError(t, err)
	require.NotNil(t, received.Reply)
	require.NoError(t, xml.Unmarshal(received.Reply.Body, &does))
	return does
}

// TestARelayedCallGoesOn follows the URLs that Twilio is given: a connection that ends is
// followed by others, and by <Gather> if these end too.
func TestARelayedCallGoesOn(t *testing.T) {
	t.Parallel()
	does := onRelay(t, hook, "CallStatus", "ringing")
	require.Equal(t, "wss://convo.example/hooks/1/relay/"+live, does.Connect.Relay.URL)
	require.Equal(t, `<Dzień> & "dobry"`, does.Connect.Relay.Greeting)
	require.Equal(t, "pl-PL", does.Connect.Relay.Language)
	require.Equal(t, "Ewa", does.Connect.Relay.Voice)
	require.NotNil(t, onRelay(t, does.Connect.Action, "SessionStatus", "ended", "HandoffData", "quiet").Hangup)
	tries := 0
	for ; does.Connect != nil; tries++ {
		before := does.Connect.Relay.URL
		long := onRelay(t, does.Connect.Action, "SessionStatus", "failed", "SessionDuration", "60")
		require.NotNil(t, long.Connect)
		does = onRelay(t, does.Connect.Action, "SessionStatus", "failed", "SessionDuration", "1")
		if does.Connect != nil {
			require.NotEqual(t, before, does.Connect.Relay.URL, "each connection has its own signature")
			require.Empty(t, does.Connect.Relay.Greeting, "the caller is not greeted again")
		}
	}
	require.Equal(t, 3, tries)
	require.NotNil(t, does.Gather)
}

func open(t *testing.T) provider.Session {
	t.Helper()
	at := "wss://convo.example/hooks/1/relay/" + live
	request := provider.Request{Path: "/relay/" + live, Header: http.Header{"X-Twilio-Signature": {twilio.Sign(token, at, nil)}}}
	session, err := (&voice.Provider{}).Converse(relayChannel(), request)
	require.NoError(t, err)
	request.Path = "/relay/" + second
	_, err = (&voice.Provider{}).Converse(relayChannel(), request)
	require.ErrorIs(t, err, provider.ErrUnauthenticated)
	return session
}

func says(t *testing.T, session provider.Session, key, text string) {
	t.Helper()
	frame, externalID, err := session.Say(provider.Outbound{Key: key, Text: text})
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"text","token":"`+text+`","last":true,"interruptible":true}`, string(frame))
	require.Equal(t, live+":said:"+key, externalID)
}

func hears(t *testing.T, session provider.Session, frame string) []provider.Item {
	t.Helper()
	items, err := session.Receive(time.Unix(1_800_000_000, 0), []byte(frame))
	require.NoError(t, err)
	return items
}

const setup = `{"type":"setup","sessionId":"VX1","callSid":"` + live + `","from":"+48123456789","to":"+15005550006","direction":"inbound","customParameters":{"said":"key-0","thread":"` + second + `"}}`

func TestFramesOfACall(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := s.Receive(time.Now(), []byte(`{"type":"prompt","voicePrompt":"x","last":true}`))
	require.ErrorIs(t, err, provider.ErrMalformed, "setup comes first")
	require.Empty(t, hears(t, s, setup))
	require.Equal(t, second, s.Thread(), "the conversation began with another call")
	for _, bad := range []string{setup, `{`, `{"type":"error","description":"Invalid message"}`} {
		_, err := s.Receive(time.Now(), []byte(bad))
		require.ErrorIs(t, err, provider.ErrMalformed, bad)
	}
	require.Equal(t, []provider.Item{provider.Typing{From: "+48123456789", On: true}}, hears(t, s, `{"type":"prompt","voicePrompt":"Ha","last":false}`))
	require.Empty(t, hears(t, s, `{"type":"dtmf","digit":"1"}`))
	require.Equal(t, []provider.Item{
		provider.Status{ExternalID: live + ":said:key-0", Status: api.DeliveryStatusDELIVERED},
		provider.Message{ExternalID: live + ":VX1-1", From: provider.Identity{ExternalID: "+48123456789", Phone: "+48123456789"}, Text: "Halo?", Thread: second},
	}, hears(t, s, `{"type":"prompt","voicePrompt":" Halo? ","last":true}`))
	says(t, s, "a", "Hello.")
	require.Equal(t, provider.Status{ExternalID: live + ":said:a", Status: api.DeliveryStatusDELIVERED}, hears(t, s, `{"type":"prompt","voicePrompt":"Hi","last":true}`)[0])
	require.JSONEq(t, `{"type":"end","handoffData":"restart"}`, string(s.End(provider.Restart)))
}

func TestInterruptions(t *testing.T) {
	t.Parallel()
	status := func(key string, status api.DeliveryStatus) provider.Status {
		one := provider.Status{ExternalID: live + ":said:" + key, Status: status}
		if status == api.DeliveryStatusFAILED {
			one.Kind, one.Code, one.Detail = provider.Permanent, "interrupted", "The caller spoke before this was said."
		}
		return one
	}
	for utterance, want := range map[string][]provider.Item{
		"":                  {status("key-0", api.DeliveryStatusFAILED), status("a", api.DeliveryStatusFAILED), status("b", api.DeliveryStatusFAILED)},
		"something else":    {provider.Heard{ExternalID: live + ":said:key-0", Text: "something else"}, status("key-0", api.DeliveryStatusDELIVERED), status("a", api.DeliveryStatusFAILED), status("b", api.DeliveryStatusFAILED)},
		"Life is":           {status("key-0", api.DeliveryStatusDELIVERED), provider.Heard{ExternalID: live + ":said:a", Text: "Life is"}, status("a", api.DeliveryStatusDELIVERED), status("b", api.DeliveryStatusFAILED)},
		"life is a complex": {status("key-0", api.DeliveryStatusDELIVERED), status("a", api.DeliveryStatusDELIVERED), status("b", api.DeliveryStatusFAILED)},
		"Any":               {status("key-0", api.DeliveryStatusDELIVERED), status("a", api.DeliveryStatusDELIVERED), provider.Heard{ExternalID: live + ":said:b", Text: "Any"}, status("b", api.DeliveryStatusDELIVERED)},
	} {
		s := open(t)
		hears(t, s, setup)
		says(t, s, "a", "Life is a complex.")
		says(t, s, "b", "Anything else?")
		frame, err := json.Marshal(map[string]string{"type": "interrupt", "utteranceUntilInterrupt": utterance})
		require.NoError(t, err)
		require.Equal(t, want, hears(t, s, string(frame)), "%q", utterance)
		_, _, err = s.Say(provider.Outbound{Key: "c", Text: "late", Automatic: true, MessageID: uuid.UUID{1}})
		require.ErrorContains(t, err, "interrupted", "an agent's reply from before is not said")
		says(t, s, "d", "an operator")
	}
}
