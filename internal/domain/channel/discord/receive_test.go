package discord_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

var (
	privateKey = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	publicKey  = privateKey.Public().(ed25519.PublicKey)
	now        = time.Unix(1_767_323_045, 0).UTC()
)

func signed(at time.Time, body string) provider.Request {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return provider.Request{Method: http.MethodPost, Body: []byte(body), ReceivedAt: now, Header: http.Header{
		"X-Signature-Timestamp": {stamp}, "X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(privateKey, []byte(stamp+body)))},
	}}
}

func receive(t *testing.T, body string) provider.Received {
	t.Helper()
	received, err := (&discord.Provider{}).Receive(channel(), signed(now, body))
	require.NoError(t, err)
	require.Equal(t, "application/json", received.Reply.ContentType)
	require.Equal(t, http.StatusOK, received.Reply.Status)
	return received
}

func TestInteractionsAreAnswered(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{`{"id":"1","type":1}`: `{"type":1}`, `{"id":"1","type":3}`: `{"type":6}`, `{"id":"1","type":4}`: `{"type":8,"data":{"choices":[]}}`} {
		received := receive(t, body)
		require.JSONEq(t, want, string(received.Reply.Body))
		require.Empty(t, received.Items)
	}
}

func TestCommandsAreMessages(t *testing.T) {
	t.Parallel()
	direct := receive(t, `{"id":"1","type":2,"channel_id":"77","user":{"id":"5","username":"anna","global_name":"Anna"},"data":{"name":"ask","options":[{"name":"question","type":3,"value":"Where is it?"}]}}`)
	require.Equal(t, []provider.Item{provider.Message{
		ExternalID: "interaction:1", Text: "Where is it?", SentAt: now, From: provider.Identity{ExternalID: "5", Address: "77", Name: "Anna"},
	}}, direct.Items)
	server := receive(t, `{"id":"2","type":2,"channel_id":"78","guild_id":"3","member":{"user":{"id":"5","username":"anna"}},"data":{"name":"order","options":[{"name":"new","type":1,"options":[{"value":4},{"value":true}]}]}}`)
	require.Equal(t, []provider.Item{provider.Message{
		ExternalID: "interaction:2", Text: "4 true", SentAt: now, Thread: "78:5", From: provider.Identity{ExternalID: "5", Name: "anna"},
	}}, server.Items)
	require.Equal(t, "/help", receive(t, `{"id":"3","type":2,"channel_id":"77","user":{"id":"5"},"data":{"name":"help"}}`).Items[0].(provider.Message).Text)
	for _, body := range []string{`{"id":"1","type":2,"channel_id":"77"}`, `{"type":2,"user":{"id":"5"}}`, `[]`, `{`} {
		_, err := (&discord.Provider{}).Receive(channel(), signed(now, body))
		require.ErrorIs(t, err, provider.ErrMalformed, body)
	}
}

func TestRequestsThatAreNotSignedAreRejected(t *testing.T) {
	t.Parallel()
	const body = `{"id":"1","type":1}`
	for name, change := range map[string]func(*provider.Request){
		"no headers":   func(r *provider.Request) { r.Header = nil },
		"no signature": func(r *provider.Request) { r.Header.Del("X-Signature-Ed25519") },
		"truncated": func(r *provider.Request) {
			r.Header.Set("X-Signature-Ed25519", r.Header.Get("X-Signature-Ed25519")[:64])
		},
		"not hex":      func(r *provider.Request) { r.Header.Set("X-Signature-Ed25519", "zz") },
		"wrong":        func(r *provider.Request) { r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(make([]byte, 64))) },
		"another body": func(r *provider.Request) { r.Body = append(r.Body, ' ') },
		"another time": func(r *provider.Request) { r.Header.Set("X-Signature-Timestamp", strconv.FormatInt(now.Unix()+1, 10)) },
		"too old":      func(r *provider.Request) { *r = signed(now.Add(-5*time.Minute-time.Second), body) },
		"too new":      func(r *provider.Request) { *r = signed(now.Add(5*time.Minute+time.Second), body) },
	} {
		request := signed(now, body)
		change(&request)
		_, err := (&discord.Provider{}).Receive(channel(), request)
		require.ErrorIs(t, err, provider.ErrUnauthenticated, name)
	}
	open := channel()
	open.Config = json.RawMessage(`{}`)
	_, err := (&discord.Provider{}).Receive(open, signed(now, body))
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a key accepts nothing")
}

// TestEventsAreParsed receives them over the Gateway.
func TestEventsAreParsed(t *testing.T) {
	t.Parallel()
	g := newGateway(t, unlimited)
	g.listen(t)
	p := wait(t, g.accepted)
	g.ready(t, p)
	sent := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	const stamp = `"timestamp":"2026-01-02T03:04:05.678000+00:00"`
	event := func(kind, data string) { p.send(t, `{"op":0,"s":2,"t":"`+kind+`","d":{`+data+`}}`) }

	event("MESSAGE_CREATE", `"id":"100","type":19,"channel_id":"77","author":{"id":"5","username":"anna","global_name":"Anna"},"content":"<@9> Cześć 🙂",`+stamp+`,
		"message_reference":{"message_id":"99","channel_id":"77"},"attachments":[{"id":"1","filename":"a.png","size":5,"content_type":"image/png","url":"https://cdn.discordapp.com/attachments/77/1/a.png?ex=1"}]`)
	require.Equal(t, provider.Message{
		ExternalID: "77:100", Text: "<@9> Cześć 🙂", SentAt: sent, ReplyTo: "77:99", From: provider.Identity{ExternalID: "5", Address: "77", Name: "Anna"},
		Attachments: []provider.Attachment{{Type: provider.Image, Name: "a.png", ContentType: "image/png", SizeBytes: 5, ExternalID: "/attachments/77/1/a.png?ex=1"}},
	}, wait(t, g.items))
	event("MESSAGE_CREATE", `"id":"101","type":0,"channel_id":"78","guild_id":"3","author":{"id":"5","username":"anna"},"content":"<@9> Hello",`+stamp)
	require.Equal(t, provider.Message{
		ExternalID: "78:101", Text: "Hello", SentAt: sent, Thread: "78:5", From: provider.Identity{ExternalID: "5", Name: "anna"},
	}, wait(t, g.items))
	event("MESSAGE_UPDATE", `"id":"101","channel_id":"78","guild_id":"3","author":{"id":"5"},"content":"<@9> Hello!","edited_timestamp":"2026-01-02T03:04:05.678000+00:00"`)
	require.Equal(t, provider.Edit{ExternalID: "78:101", Text: "Hello!", At: sent}, wait(t, g.items))
	event("MESSAGE_DELETE_BULK", `"ids":["1","2"],"channel_id":"78"`)
	require.Equal(t, provider.Edit{ExternalID: "78:1", Removed: true}, wait(t, g.items))
	require.Equal(t, provider.Edit{ExternalID: "78:2", Removed: true}, wait(t, g.items))

	for _, ignored := range []string{
		`"id":"1","type":0,"channel_id":"77","author":{"id":"9","bot":true},"content":"of a bot"`,
		`"id":"1","type":0,"channel_id":"77","author":{"id":"9"},"webhook_id":"4","content":"of a webhook"`,
		`"id":"1","type":7,"channel_id":"77","author":{"id":"5"},"content":"joined"`,
		`"id":"1","type":0,"channel_id":"78","guild_id":"3","author":{"id":"5"},"content":""`,
	} {
		event("MESSAGE_CREATE", ignored)
	}
	event("MESSAGE_UPDATE", `"id":"101","channel_id":"78","author":{"id":"5"},"content":"a preview was added","edited_timestamp":null`)
	event("MESSAGE_UPDATE", `"id":"101","channel_id":"78","embeds":[]`)
	event("MESSAGE_DELETE", `"id":"7","channel_id":"78"`)
	require.Equal(t, provider.Edit{ExternalID: "78:7", Removed: true}, wait(t, g.items), "the others are ignored")
}

func FuzzReceive(f *testing.F) {
	f.Add(`{"id":"1","type":2,"channel_id":"77","user":{"id":"5"},"data":{"options":[{"value":1}]}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		_, err := (&discord.Provider{}).Receive(channel(), signed(now, body))
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMalformed)
		}
	})
}
