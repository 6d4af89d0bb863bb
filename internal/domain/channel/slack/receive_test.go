package slack_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/slack"
)

const (
	secret = "8f742231b10e8888abcd99yyyzzz85a5"
	token  = "xoxb-1234567890-abcdefghijkl"
)

var now = time.Unix(1531420618, 0).UTC()

func channel() provider.Channel {
	return provider.Channel{
		Config: json.RawMessage(`{"teamId":"T1"}`), Credentials: map[string]string{"botToken": token, "signingSecret": secret},
		HookURL: "https://convo.example/hooks/1",
	}
}

func sign(key string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("v0:" + strconv.FormatInt(at.Unix(), 10) + ":" + body))
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

func signed(at time.Time, body string) provider.Request {
	return provider.Request{Method: http.MethodPost, Body: []byte(body), ReceivedAt: now, Header: http.Header{
		"X-Slack-Request-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "X-Slack-Signature": {sign(secret, at, body)},
	}}
}

func receive(t *testing.T, body string) provider.Received {
	t.Helper()
	received, err := (&slack.Provider{}).Receive(channel(), signed(now, body))
	require.NoError(t, err)
	return received
}

func event(inner string) string {
	return `{"token":"x","team_id":"T1","api_app_id":"A1","type":"event_callback","event_id":"Ev1","event_time":1531420618,"event":{` + inner + `}}`
}

const direct = `"type":"message","channel":"D1","channel_type":"im","user":"U1","ts":"1531420610.000200"`

// TestSignatureIsThatOfTheDocumentation uses the example of
// https://api.slack.com/authentication/verifying-requests-from-slack.
func TestSignatureIsThatOfTheDocumentation(t *testing.T) {
	t.Parallel()
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&" +
		"command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&" +
		"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	request := provider.Request{Body: []byte(body), ReceivedAt: time.Unix(1531420618, 0), Header: http.Header{
		"X-Slack-Request-Timestamp": {"1531420618"}, "X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
	}}
	_, err := (&slack.Provider{}).Receive(channel(), request)
	require.ErrorIs(t, err, provider.ErrMalformed, "it is authentic, but no event")
}

func TestChallengeIsReturned(t *testing.T) {
	t.Parallel()
	received := receive(t, `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`)
	require.Empty(t, received.Items)
	require.Equal(t, &provider.Reply{
		Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"),
	}, received.Reply)
}

func TestDirectMessagesAreParsed(t *testing.T) {
	t.Parallel()
	sent := time.Unix(1531420610, 200_000).UTC()
	plain := provider.Message{
		ExternalID: "D1:1531420610.000200", Text: "Cześć 🙂 <b> & https://a.example/x?y=1 shop (https://b.example) @U2 #general @here anna@example.com",
		SentAt: sent, From: provider.Identity{ExternalID: "U1", Address: "D1"},
	}
	require.Equal(t, []provider.Item{plain}, receive(t, event(direct+`,"text":"Cześć 🙂 &lt;b&gt; &amp; <https://a.example/x?y=1> <https://b.example|shop> <@U2> <#C9|general> <!here> <mailto:anna@example.com|anna@example.com>"`)).Items)

	reply := provider.Message{
		ExternalID: "D1:1531420610.000200", Text: "x", SentAt: sent, From: provider.Identity{ExternalID: "U1", Address: "D1", Name: "Anna"},
		Thread: "D1:1531420600.000100", ReplyTo: "D1:1531420600.000100", References: []string{"D1:1531420600.000100"},
	}
	require.Equal(t, []provider.Item{reply}, receive(t, event(direct+`,"text":"x","thread_ts":"1531420600.000100","user_profile":{"display_name":"Anna"}`)).Items)
}

func TestMessagesInChannelsBelongToThreads(t *testing.T) {
	t.Parallel()
	const public = `"type":"message","channel":"C1","channel_type":"channel","user":"U1","text":"x"`
	first := receive(t, event(public+`,"ts":"1.1"`)).Items[0].(provider.Message)
	require.Equal(t, "C1:1.1", first.Thread)
	require.Empty(t, first.From.Address)
	second := receive(t, event(public+`,"ts":"2.1","thread_ts":"1.1"`)).Items[0].(provider.Message)
	require.Equal(t, "C1:1.1", second.Thread)
	mention := receive(t, event(`"type":"app_mention","channel":"C1","user":"U1","text":"<@U2> x","ts":"1.1"`)).Items[0].(provider.Message)
	require.Equal(t, first.ExternalID, mention.ExternalID, "Slack reports a message with a mention twice")
}

func TestFilesAreParsed(t *testing.T) {
	t.Parallel()
	received := receive(t, event(direct+`,"subtype":"file_share","text":"","files":[
		{"id":"F1","name":"a.png","mimetype":"image/png","size":5,"url_private":"https://files.slack.com/files-pri/T1-F1/a.png?x=1"},{"id":"F2","mode":"tombstone"}]`))
	require.Equal(t, []provider.Attachment{
		{Type: provider.Image, Name: "a.png", ContentType: "image/png", SizeBytes: 5, ExternalID: "/files-pri/T1-F1/a.png?x=1"},
	}, received.Items[0].(provider.Message).Attachments)
	require.Len(t, received.Malformed, 1)
}

func TestEditsAndDeletionsAreParsed(t *testing.T) {
	t.Parallel()
	const changed = `"type":"message","subtype":"message_changed","channel":"D1","event_ts":"1531420615.000001"`
	require.Equal(t, []provider.Item{provider.Edit{ExternalID: "D1:1.2", Text: "new", At: time.Unix(5, 0).UTC()}},
		receive(t, event(changed+`,"message":{"type":"message","user":"U1","text":"new","ts":"1.2","edited":{"user":"U1","ts":"5.000000"}},"previous_message":{"text":"old","ts":"1.2"}`)).Items)
	require.Equal(t, []provider.Item{provider.Edit{ExternalID: "D1:1.2", Removed: true, At: time.Unix(9, 0).UTC()}},
		receive(t, event(`"type":"message","subtype":"message_deleted","channel":"D1","deleted_ts":"1.2","event_ts":"9.000000"`)).Items)
	require.Equal(t, []provider.Item{provider.Edit{ExternalID: "D1:1.2", Removed: true, At: time.Unix(1531420615, 1000).UTC()}},
		receive(t, event(changed+`,"message":{"subtype":"tombstone","user":"USLACKBOT","text":"This message was deleted.","ts":"1.2"}`)).Items)
	for name, inner := range map[string]string{
		"preview of a link": changed + `,"message":{"user":"U1","text":"same","ts":"1.2"},"previous_message":{"user":"U1","text":"same","ts":"1.2"}`,
		"same text":         changed + `,"message":{"user":"U1","text":"same","ts":"1.2","edited":{"ts":"5.0"}},"previous_message":{"text":"same","ts":"1.2"}`,
		"of a bot":          changed + `,"message":{"user":"U1","bot_id":"B1","text":"new","ts":"1.2","edited":{"ts":"5.0"}}`,
		"without a message": changed,
	} {
		require.Empty(t, receive(t, event(inner)).Items, name)
	}
}

func TestBotsAndOtherEventsAreIgnored(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		event(direct + `,"text":"x","bot_id":"B1"`),
		event(`"type":"message","subtype":"bot_message","channel":"D1","ts":"1.1","text":"x"`),
		event(`"type":"message","channel":"D1","user":"USLACKBOT","ts":"1.1","text":"x"`),
		event(`"type":"message","subtype":"channel_join","channel":"C1","user":"U1","ts":"1.1","text":"joined"`),
		event(`"type":"reaction_added","user":"U1"`),
		`{"type":"event_callback","team_id":"T2","event":{` + direct + `,"text":"of another team"}}`,
		`{"type":"app_rate_limited","team_id":"T1"}`,
		`{}`,
	} {
		require.Empty(t, receive(t, body).Items, body)
	}
	require.Len(t, receive(t, event(`"type":"message","channel":"D1","user":"U1","text":"x"`)).Malformed, 1)
}

func TestRequestsThatAreNotSignedAreRejected(t *testing.T) {
	t.Parallel()
	body := event(direct + `,"text":"x"`)
	good := sign(secret, now, body)
	for name, change := range map[string]func(*provider.Request){
		"no headers":       func(r *provider.Request) { r.Header = nil },
		"no signature":     func(r *provider.Request) { r.Header.Del("X-Slack-Signature") },
		"truncated":        func(r *provider.Request) { r.Header.Set("X-Slack-Signature", good[:20]) },
		"without version":  func(r *provider.Request) { r.Header.Set("X-Slack-Signature", good[3:]) },
		"another secret":   func(r *provider.Request) { r.Header.Set("X-Slack-Signature", sign("another", now, body)) },
		"another body":     func(r *provider.Request) { r.Body = append(r.Body, ' ') },
		"another time":     func(r *provider.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1531420619") },
		"time of no clock": func(r *provider.Request) { r.Header.Set("X-Slack-Request-Timestamp", "x") },
		"too old":          func(r *provider.Request) { *r = signed(now.Add(-5*time.Minute-time.Second), body) },
		"too new":          func(r *provider.Request) { *r = signed(now.Add(5*time.Minute+time.Second), body) },
	} {
		request := signed(now, body)
		change(&request)
		_, err := (&slack.Provider{}).Receive(channel(), request)
		require.ErrorIs(t, err, provider.ErrUnauthenticated, name)
	}
	_, err := (&slack.Provider{}).Receive(channel(), signed(now.Add(-5*time.Minute), body))
	require.NoError(t, err)
	open := channel()
	delete(open.Credentials, "signingSecret")
	request := signed(now, body)
	request.Header.Set("X-Slack-Signature", sign("", now, body))
	_, err = (&slack.Provider{}).Receive(open, request)
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a secret accepts nothing")
}

func FuzzReceive(f *testing.F) {
	f.Add(event(direct + `,"text":"<x|y>"`))
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		_, err := (&slack.Provider{}).Receive(channel(), signed(now, body))
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMalformed)
		}
	})
}
