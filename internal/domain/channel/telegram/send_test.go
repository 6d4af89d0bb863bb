package telegram_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// bot is a Bot API that responds to every method with one response.
type bot struct {
	*telegram.Provider

	channel provider.Channel
	path    string
	body    []byte
	form    map[string]string
	file    string
}

func newBot(t *testing.T, status int, response string) *bot {
	t.Helper()
	b := &bot{channel: channel()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.path = r.URL.Path
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			b.readForm(r)
		} else {
			b.body, _ = io.ReadAll(r.Body)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, response)
	}))
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	b.Provider, b.channel.APIBaseURL = &telegram.Provider{Client: client}, server.URL
	return b
}

func (b *bot) readForm(r *http.Request) {
	const most = 1 << 20
	if r.ParseMultipartForm(most) != nil {
		return
	}
	b.form = map[string]string{}
	for name, values := range r.MultipartForm.Value {
		b.form[name] = values[0]
	}
	for name, files := range r.MultipartForm.File {
		b.form["file"] = name
		b.form["fileName"] = files[0].Filename
		if f, err := files[0].Open(); err == nil {
			content, _ := io.ReadAll(f)
			b.file = string(content)
		}
	}
}

func (b *bot) send(t *testing.T, m provider.Outbound) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return b.Send(ctx, b.channel, m)
}

const accepted = `{"ok":true,"result":{"message_id":77,"chat":{"id":1111,"type":"private"},"date":1}}`

func TestTextIsSent(t *testing.T) {
	t.Parallel()
	b := newBot(t, http.StatusOK, accepted)
	sent, err := b.send(t, provider.Outbound{To: "1111", Text: "Cześć 🙂", ReplyTo: "1111:5"})
	require.NoError(t, err)
	require.Equal(t, []string{"1111:77"}, sent.ExternalIDs)
	require.Equal(t, "/bot123456:AAE-abcdefghijklmnopqrstuvwxyz012345/sendMessage", b.path)
	require.JSONEq(t, `{"chat_id":"1111","text":"Cześć 🙂","reply_parameters":{"message_id":5,"allow_sending_without_reply":true}}`, string(b.body))
}

func TestFilesAreSentByTheirType(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string][2]string{
		"image/png": {"sendPhoto", "photo"}, "audio/ogg": {"sendVoice", "voice"}, "audio/mpeg": {"sendAudio", "audio"},
		"video/mp4": {"sendVideo", "video"}, "application/pdf": {"sendDocument", "document"}, "image/svg+xml": {"sendDocument", "document"},
	} {
		b := newBot(t, http.StatusOK, accepted)
		_, err := b.send(t, provider.Outbound{To: "1111", Text: "see", Attachments: []provider.OutboundAttachment{{
			Name: "ż.bin", ContentType: contentType,
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("bytes")), nil },
		}}})
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(b.path, "/"+want[0]), b.path)
		require.Equal(t, map[string]string{"chat_id": "1111", "caption": "see", "file": want[1], "fileName": "ż.bin"}, b.form)
		require.Equal(t, "bytes", b.file)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		response string
		want     provider.SendError
	}{
		"rate limit": {
			429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`,
			provider.SendError{Kind: provider.Retryable, Code: "429", RetryAfter: 7 * time.Second, WholeChannel: true},
		},
		"blocked":           {403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`, provider.SendError{Kind: provider.Blocked, Code: "403"}},
		"no such chat":      {400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, provider.SendError{Kind: provider.Blocked, Code: "400"}},
		"too long":          {400, `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`, provider.SendError{Kind: provider.Permanent, Code: "400"}},
		"token revoked":     {401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, provider.SendError{Kind: provider.Credentials, Code: "401"}},
		"token unknown":     {404, `{"ok":false,"error_code":404,"description":"Not Found"}`, provider.SendError{Kind: provider.Credentials, Code: "404"}},
		"server error":      {500, `{"ok":false,"error_code":500,"description":"Internal Server Error"}`, provider.SendError{Kind: provider.Retryable, Code: "500"}},
		"proxy error":       {502, `<html>`, provider.SendError{Kind: provider.Retryable, Code: "502"}},
		"gateway timeout":   {504, `<html>`, provider.SendError{Kind: provider.Retryable, Code: "504", Ambiguous: true}},
		"success that lies": {200, `{"ok":true,"result":`, provider.SendError{Kind: provider.Retryable, Code: "200", Ambiguous: true}},
	} {
		_, err := newBot(t, c.status, c.response).send(t, provider.Outbound{To: "1111", Text: "x"})
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok, name)
		require.NotEmpty(t, failed.Detail, name)
		c.want.Detail, c.want.Cause = failed.Detail, failed.Cause
		require.Equal(t, c.want, *failed, name)
	}
}

func TestErrorsTellWhetherTheRequestWasSentAndHideTheToken(t *testing.T) {
	t.Parallel()
	refused := newBot(t, http.StatusOK, accepted)
	refused.channel.APIBaseURL = "http://127.0.0.1:1"
	silent := newBot(t, http.StatusOK, accepted)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)
	silent.channel.APIBaseURL = server.URL
	for want, b := range map[bool]*bot{false: refused, true: silent} {
		_, err := b.send(t, provider.Outbound{To: "1111", Text: "x"})
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, want, failed.Ambiguous)
		require.Equal(t, provider.Retryable, failed.Kind)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failed.Cause), "AAE-abcdefghijklmnopqrstuvwxyz012345")
	}
}

func TestHookIsRegisteredAndRemoved(t *testing.T) {
	t.Parallel()
	b := newBot(t, http.StatusOK, `{"ok":true,"result":true}`)
	require.NoError(t, b.Connect(t.Context(), b.channel))
	var got map[string]any
	require.NoError(t, json.Unmarshal(b.body, &got))
	require.Equal(t, map[string]any{
		"url": "https://convo.example/hooks/1", "secret_token": secret, "allowed_updates": []any{"message", "edited_message", "my_chat_member"},
	}, got)
	require.NoError(t, b.Disconnect(t.Context(), b.channel))
	require.True(t, strings.HasSuffix(b.path, "/deleteWebhook"))
}

func TestCheckNamesTheBot(t *testing.T) {
	t.Parallel()
	b := newBot(t, http.StatusOK, `{"ok":true,"result":{"id":1,"is_bot":true,"username":"shop_bot"}}`)
	name, err := b.Check(t.Context(), b.channel)
	require.NoError(t, err)
	require.Equal(t, "@shop_bot", name)
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	p := &telegram.Provider{}
	require.Empty(t, p.Validate(channel()))
	require.Len(t, p.Validate(provider.Channel{Credentials: map[string]string{"botToken": "123/../x", "hookSecret": "short"}}), 2)
}

func TestFilesAreFetched(t *testing.T) {
	t.Parallel()
	b := newBot(t, http.StatusOK, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bot" + b.channel.Credentials["botToken"] + "/getFile":
			_, _ = io.WriteString(w, `{"ok":true,"result":{"file_id":"f1","file_size":5,"file_path":"documents/file_7.pdf"}}`)
		case "/file/bot" + b.channel.Credentials["botToken"] + "/documents/file_7.pdf":
			_, _ = io.WriteString(w, "bytes")
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(server.Close)
	b.channel.APIBaseURL = server.URL
	file, err := b.Fetch(t.Context(), b.channel, "f1")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "bytes", string(content))
	require.Equal(t, "file_7.pdf", file.Name)
	require.Equal(t, int64(5), file.SizeBytes)
}
