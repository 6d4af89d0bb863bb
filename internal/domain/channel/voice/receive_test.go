package voice_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/domain/channel/voice"
)

const (
	token   = "an-auth-token-0123456789abcdef"
	account = "AC0123456789abcdef0123456789abcdef"
	live    = "CA0123456789abcdef0123456789abcdef"
	second  = "CAfedcba9876543210fedcba9876543210"
	hook    = "https://convo.example/hooks/1"
)

func channel() provider.Channel {
	return provider.Channel{
		Config:      json.RawMessage(`{"accountSid":"` + account + `","from":"+15005550006","language":"pl-PL","voice":"Polly.Ewa","greeting":"<Dzień> & \"dobry\""}`),
		Credentials: map[string]string{"authToken": token}, HookURL: hook,
	}
}

// document is TwiML.
type document struct {
	Gather *struct {
		Input    string `xml:"input,attr"`
		Action   string `xml:"action,attr"`
		Language string `xml:"language,attr"`
		Empty    bool   `xml:"actionOnEmptyResult,attr"`
		Say      *struct {
			Language string `xml:"language,attr"`
			Voice    string `xml:"voice,attr"`
			Text     string `xml:",chardata"`
		} `xml:"Say"`
	} `xml:"Gather"`
	Hangup *struct{} `xml:"Hangup"`
}

func parse(t *testing.T, twiml string) (d document) {
	t.Helper()
	require.NoError(t, xml.Unmarshal([]byte(twiml), &d), twiml)
	return d
}

func form(more ...string) url.Values {
	f := url.Values{
		"CallSid": {live}, "AccountSid": {account}, "From": {"+48123456789"}, "To": {"+15005550006"}, "CallStatus": {"in-progress"}, "Direction": {"inbound"},
	}
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

// post is a request of Twilio to a URL that it was given.
func post(t *testing.T, to string, f url.Values) (provider.Received, error) {
	t.Helper()
	parsed, err := url.Parse(to)
	require.NoError(t, err)
	return (&voice.Provider{}).Receive(channel(), provider.Request{
		Method: http.MethodPost, Query: parsed.Query(), Body: []byte(f.Encode()), Header: http.Header{"X-Twilio-Signature": {twilio.Sign(token, to, f)}},
	})
}

func receive(t *testing.T, to string, f url.Values) (provider.Received, document) {
	t.Helper()
	received, err := post(t, to, f)
	require.NoError(t, err)
	require.Empty(t, received.Malformed)
	if received.Reply == nil {
		return received, document{}
	}
	require.Equal(t, "text/xml; charset=utf-8", received.Reply.ContentType)
	return received, parse(t, string(received.Reply.Body))
}

// TestACallIsTranscribed follows the URLs of the responses, as Twilio does.
func TestACallIsTranscribed(t *testing.T) {
	t.Parallel()
	received, greeting := receive(t, hook, form("CallStatus", "ringing"))
	require.Empty(t, received.Items, "no one has said anything")
	require.Equal(t, "speech", greeting.Gather.Input)
	require.Equal(t, "pl-PL", greeting.Gather.Language)
	require.True(t, greeting.Gather.Empty)
	require.Equal(t, `<Dzień> & "dobry"`, greeting.Gather.Say.Text)
	require.Equal(t, "Polly.Ewa", greeting.Gather.Say.Voice)

	received, silent := receive(t, greeting.Gather.Action, form("SpeechResult", "Gdzie jest moja paczka?", "Confidence", "0.9"))
	first := received.Items[0].(provider.Message)
	require.Equal(t, provider.Message{
		ExternalID: first.ExternalID, Text: "Gdzie jest moja paczka?", Thread: live, From: provider.Identity{ExternalID: "+48123456789", Phone: "+48123456789"},
	}, first)
	require.Nil(t, silent.Gather.Say)
	again, sameReply := receive(t, greeting.Gather.Action, form("SpeechResult", "Gdzie jest moja paczka?"))
	require.Equal(t, first.ExternalID, again.Items[0].(provider.Message).ExternalID, "a request that Twilio sends again")
	require.Equal(t, silent, sameReply)

	received, _ = receive(t, silent.Gather.Action, form("SpeechResult", "Halo?"))
	require.NotEqual(t, first.ExternalID, received.Items[0].(provider.Message).ExternalID)

	received, _ = receive(t, hook+"?event=status", form("CallStatus", "completed"))
	require.Equal(t, []provider.Item{provider.End{Thread: live}}, received.Items)
}

func TestSilentCallsAreHungUp(t *testing.T) {
	t.Parallel()
	_, next := receive(t, hook, form())
	turns := 0
	for ; next.Gather != nil && turns < 1000; turns++ {
		var received provider.Received
		received, next = receive(t, next.Gather.Action, form())
		require.Empty(t, received.Items)
	}
	require.NotNil(t, next.Hangup)
	require.Equal(t, 40, turns)
}

func TestWhoSpeaksIsTheContact(t *testing.T) {
	t.Parallel()
	from := func(more ...string) provider.Identity {
		received, _ := receive(t, hook+"?event=speech&turn=0", form(append(more, "SpeechResult", "x")...))
		return received.Items[0].(provider.Message).From
	}
	require.Equal(t, "+48123456789", from().Phone)
	require.Equal(t, "+48777777777", from("Direction", "outbound-api", "From", "+15005550006", "To", "+48777777777").ExternalID)
	for _, hidden := range []string{"", "anonymous", "+266696687", "sip:x@example.com"} {
		require.Equal(t, provider.Identity{ExternalID: "call:" + live}, from("From", hidden), "callers without a number are not one person")
	}
}

func TestEndsOfCallsAreReported(t *testing.T) {
	t.Parallel()
	const about = hook + "?event=status&said=1&thread=" + second + "&turn=key-0"
	said := live + ":said:key-0"
	received, _ := receive(t, about, form("CallStatus", "completed"))
	require.Equal(t, []provider.Item{provider.Status{ExternalID: said, Status: api.DeliveryStatusDELIVERED}, provider.End{Thread: second}}, received.Items)
	for _, status := range []string{"busy", "no-answer", "failed", "canceled"} {
		received, _ = receive(t, about, form("CallStatus", status))
		failed := received.Items[0].(provider.Status)
		require.Equal(t, provider.Status{ExternalID: said, Status: api.DeliveryStatusFAILED, Code: status, Kind: provider.Blocked, Detail: failed.Detail}, failed)
		require.Equal(t, provider.End{Thread: second}, received.Items[1])
	}
	received, _ = receive(t, about, form("CallStatus", "ringing"))
	require.Empty(t, received.Items)
	require.Nil(t, received.Reply)
	received, _ = receive(t, hook+"?event=speech&turn=0", form("CallStatus", "completed", "SpeechResult", "bye"))
	require.Equal(t, "bye", received.Items[0].(provider.Message).Text)
	require.Equal(t, provider.End{Thread: live}, received.Items[1])
}

func TestRequestsThatAreNotSignedAreRejected(t *testing.T) {
	t.Parallel()
	f := form("SpeechResult", "x")
	good := twilio.Sign(token, hook+"?event=speech&turn=0", f)
	query := url.Values{"event": {"speech"}, "turn": {"0"}}
	for name, request := range map[string]provider.Request{
		"no signature":      {Query: query, Body: []byte(f.Encode())},
		"truncated":         {Query: query, Body: []byte(f.Encode()), Header: http.Header{"X-Twilio-Signature": {good[:12]}}},
		"another turn":      {Query: url.Values{"event": {"speech"}, "turn": {"1"}}, Body: []byte(f.Encode()), Header: http.Header{"X-Twilio-Signature": {good}}},
		"another thread":    {Query: url.Values{"event": {"speech"}, "turn": {"0"}, "thread": {second}}, Body: []byte(f.Encode()), Header: http.Header{"X-Twilio-Signature": {good}}},
		"another utterance": {Query: query, Body: []byte(form("SpeechResult", "y").Encode()), Header: http.Header{"X-Twilio-Signature": {good}}},
	} {
		_, err := (&voice.Provider{}).Receive(channel(), request)
		require.ErrorIs(t, err, provider.ErrUnauthenticated, name)
	}
	_, err := post(t, hook, form("CallSid", "../x"))
	require.ErrorIs(t, err, provider.ErrMalformed)
}

func FuzzReceive(f *testing.F) {
	f.Add("event=speech&turn=0", "CallSid="+live+"&SpeechResult=x")
	f.Add("quiet=-1", "CallSid="+live)
	f.Fuzz(func(t *testing.T, query, body string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		to := hook
		if len(q) > 0 {
			to += "?" + q.Encode()
		}
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		received, err := post(t, to, values)
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMalformed)
		} else if received.Reply != nil {
			require.True(t, strings.HasPrefix(string(received.Reply.Body), "<?xml"))
			parse(t, string(received.Reply.Body))
		}
	})
}
