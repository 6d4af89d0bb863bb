package discord_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

const token = "bot-token.0123456789-never_shown"

// bot is an API that responds to every call in one way.
type bot struct {
	*discord.Provider

	channel provider.Channel
	text    string // of the response

	mu       sync.Mutex
	calls    int
	path     string
	auth     string
	body     string
	fileName string
	file     string
}

func channel() provider.Channel {
	return provider.Channel{
		Config: json.RawMessage(`{"publicKey":"` + hex.EncodeToString(publicKey) + `"}`), Credentials: map[string]string{"botToken": token},
		HookURL: "https://convo.example/hooks/1", State: json.RawMessage("{}"),
	}
}

type response struct {
	status int
	header http.Header
	text   string
}

func respond(status int, text string) response { return response{status: status, text: text} }

func newBot(t *testing.T, with response) *bot {
	t.Helper()
	b := &bot{channel: channel(), text: with.text}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.read(r)
		maps.Copy(w.Header(), with.header)
		w.WriteHeader(with.status)
		_, _ = io.WriteString(w, with.text)
	}))
	t.Cleanup(server.Close)
	guard := egress.NewGuard(egress.Loopback())
	client := apiclient.New(guard)
	t.Cleanup(client.CloseIdle)
	b.Provider, b.channel.APIBaseURL = &discord.Provider{Client: client, Guard: guard}, server.URL+"/api/v10"
	return b
}

func (b *bot) read(r *http.Request) {
	b.calls++
	b.path, b.auth = r.URL.RequestURI(), r.Header.Get("Authorization")
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		body, _ := io.ReadAll(r.Body)
		b.body = string(body)
		return
	}
	const most = 1 << 20
	if r.ParseMultipartForm(most) != nil {
		return
	}
	b.body = r.FormValue("payload_json")
	header := r.MultipartForm.File["files[0]"][0]
	b.fileName = header.Filename
	if f, err := header.Open(); err == nil {
		content, _ := io.ReadAll(f)
		b.file = string(content)
	}
}

func (b *bot) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *bot) send(t *testing.T, m provider.Outbound) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return b.Send(ctx, b.channel, m)
}

func failure(t *testing.T, err error) *provider.SendError {
	t.Helper()
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok, "%v", err)
	return failed
}

func TestTextIsSentOnce(t *testing.T) {
	t.Parallel()
	b := newBot(t, respond(http.StatusOK, `{"id":"900","channel_id":"77"}`))
	sent, err := b.send(t, provider.Outbound{Key: "key-0", To: "77", Text: "Cześć 🙂 @everyone", ReplyTo: "77:800"})
	require.NoError(t, err)
	require.Equal(t, []string{"77:900"}, sent.ExternalIDs)
	require.Equal(t, "/api/v10/channels/77/messages", b.path)
	require.Equal(t, "Bot "+token, b.auth)
	first := b.body
	var body struct {
		Nonce string `json:"nonce"`
	}
	require.NoError(t, json.Unmarshal([]byte(first), &body))
	require.Len(t, body.Nonce, 25)
	require.JSONEq(t, `{"content":"Cześć 🙂 @everyone","nonce":"`+body.Nonce+`","enforce_nonce":true,"allowed_mentions":{"parse":[]},
		"message_reference":{"message_id":"800","fail_if_not_exists":false}}`, first)
	_, err = b.send(t, provider.Outbound{Key: "key-0", To: "77", Text: "Cześć 🙂 @everyone", ReplyTo: "77:800"})
	require.NoError(t, err)
	require.JSONEq(t, first, b.body, "the same message has the same nonce")
	_, err = b.send(t, provider.Outbound{Key: "key-1", To: "5", Thread: "78:5", Text: "x", ReplyTo: "77:800"})
	require.NoError(t, err)
	require.NotContains(t, b.body, body.Nonce)
	require.NotContains(t, b.body, "message_reference", "it is in another channel")
	require.Equal(t, "/api/v10/channels/78/messages", b.path)
	_, err = b.send(t, provider.Outbound{Key: "key-1", To: "../users/@me", Text: "x"})
	require.Equal(t, provider.Blocked, failure(t, err).Kind)
}

func TestFilesAreSent(t *testing.T) {
	t.Parallel()
	b := newBot(t, respond(http.StatusOK, `{"id":"900","channel_id":"77"}`))
	_, err := b.send(t, provider.Outbound{Key: "key-1", To: "77", Attachments: []provider.OutboundAttachment{{
		Name: "ż.png", ContentType: "image/png", Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("bytes")), nil },
	}}})
	require.NoError(t, err)
	require.Equal(t, "bytes", b.file)
	require.Equal(t, "ż.png", b.fileName)
	require.Contains(t, b.body, `"enforce_nonce":true`)
	require.NotContains(t, b.body, "content")
	calls := b.calls
	_, err = b.send(t, provider.Outbound{Key: "key-1", To: "77", Attachments: []provider.OutboundAttachment{{
		Open: func(context.Context) (io.ReadCloser, error) { return nil, errors.New("gone") },
	}}})
	require.Equal(t, provider.Retryable, failure(t, err).Kind)
	require.Equal(t, calls, b.calls)
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		response response
		want     provider.SendError
	}{
		"rate limit": {
			response{429, http.Header{"X-Ratelimit-Scope": {"user"}, "X-Ratelimit-Reset-After": {"2.5"}}, `{"message":"You are being rate limited.","retry_after":1.5,"global":false}`},
			provider.SendError{Kind: provider.Retryable, Code: "429", RetryAfter: 2500 * time.Millisecond},
		},
		"global limit":      {respond(429, `{"message":"x","retry_after":64.5,"global":true}`), provider.SendError{Kind: provider.Retryable, Code: "429", RetryAfter: 64500 * time.Millisecond, WholeChannel: true}},
		"limit of a proxy":  {response{429, http.Header{"Retry-After": {"7"}}, `<html>`}, provider.SendError{Kind: provider.Retryable, Code: "429", RetryAfter: 7 * time.Second}},
		"token revoked":     {respond(401, `{"code":0,"message":"401: Unauthorized"}`), provider.SendError{Kind: provider.Credentials, Code: "401"}},
		"no messages":       {respond(403, `{"code":50007,"message":"Cannot send messages to this user"}`), provider.SendError{Kind: provider.Blocked, Code: "50007"}},
		"no such channel":   {respond(404, `{"code":10003,"message":"Unknown Channel"}`), provider.SendError{Kind: provider.Blocked, Code: "10003"}},
		"too long":          {respond(400, `{"code":50035,"message":"Invalid Form Body"}`), provider.SendError{Kind: provider.Permanent, Code: "50035"}},
		"file too large":    {respond(413, `{"code":40005,"message":"Request entity too large"}`), provider.SendError{Kind: provider.Permanent, Code: "40005"}},
		"overloaded":        {respond(503, `{"code":130000,"message":"API overloaded"}`), provider.SendError{Kind: provider.Retryable, Code: "130000"}},
		"proxy error":       {respond(502, `<html>`), provider.SendError{Kind: provider.Retryable, Code: "502"}},
		"gateway timeout":   {respond(504, `<html>`), provider.SendError{Kind: provider.Retryable, Code: "504", Ambiguous: true}},
		"redirect":          {respond(302, ``), provider.SendError{Kind: provider.Retryable, Code: "302", Ambiguous: true}},
		"success that lies": {respond(200, `{"id":`), provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
		"success of none":   {respond(200, `{}`), provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
	} {
		_, err := newBot(t, c.response).send(t, provider.Outbound{Key: "k", To: "77", Text: "x"})
		failed := failure(t, err)
		require.NotEmpty(t, failed.Detail, name)
		c.want.Detail, c.want.Cause = failed.Detail, failed.Cause
		require.Equal(t, c.want, *failed, name)
	}
}

func TestErrorsTellWhetherTheRequestWasSentAndHideTheToken(t *testing.T) {
	t.Parallel()
	refused, silent := newBot(t, respond(200, "")), newBot(t, respond(200, ""))
	refused.channel.APIBaseURL = "http://127.0.0.1:1"
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)
	silent.channel.APIBaseURL = server.URL
	for want, b := range map[bool]*bot{false: refused, true: silent} {
		_, err := b.send(t, provider.Outbound{Key: "k", To: "77", Text: "x"})
		require.Equal(t, want, failure(t, err).Ambiguous)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failure(t, err).Cause), token)
	}
}

func TestCheckNamesTheBot(t *testing.T) {
	t.Parallel()
	b := newBot(t, respond(200, `{"id":"9","username":"shop","bot":true}`))
	name, err := b.Check(t.Context(), b.channel)
	require.NoError(t, err)
	require.Equal(t, "@shop", name)
	require.Equal(t, "/api/v10/users/@me", b.path)
}

func TestFilesAreFetchedWithoutTheToken(t *testing.T) {
	t.Parallel()
	b := newBot(t, response{200, http.Header{"Content-Type": {"image/png"}}, "bytes"})
	file, err := b.Fetch(t.Context(), b.channel, "/attachments/77/1/a.png?ex=1&hm=2")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "bytes", string(content))
	require.Equal(t, "/attachments/77/1/a.png?ex=1&hm=2", b.path)
	require.Empty(t, b.auth)
	for status, kind := range map[int]provider.Kind{404: provider.Permanent, 429: provider.Retryable, 500: provider.Retryable} {
		b := newBot(t, respond(status, ""))
		_, err := b.Fetch(t.Context(), b.channel, "/attachments/77/1/a.png")
		require.Equal(t, kind, failure(t, err).Kind)
	}
	_, err = b.Fetch(t.Context(), b.channel, "@evil.example")
	require.Equal(t, provider.Permanent, failure(t, err).Kind)
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	p := &discord.Provider{Guard: egress.NewGuard(nil)}
	require.Empty(t, p.Validate(channel()))
	require.Len(t, p.Validate(provider.Channel{Config: json.RawMessage(`{"publicKey":"00","gatewayUrl":"https://a.example"}`)}), 3)
	for _, at := range []string{"ws://gateway.example", "wss://127.0.0.1", "http://gateway.example"} {
		c := channel()
		c.Config = json.RawMessage(`{"publicKey":"` + hex.EncodeToString(publicKey) + `","gatewayUrl":"` + at + `"}`)
		require.Len(t, p.Validate(c), 1, at)
	}
}
