package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/slack"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// app is a Web API that responds to every method with one response.
type app struct {
	*slack.Provider

	channel             provider.Channel
	path, authorization string
	body                string
}

func newApp(t *testing.T, handler http.HandlerFunc) *app {
	t.Helper()
	a := &app{channel: channel()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.path, a.authorization, a.body = r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	a.Provider, a.channel.APIBaseURL = &slack.Provider{Client: client}, server.URL
	return a
}

func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (a *app) send(t *testing.T, m provider.Outbound) (provider.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return a.Send(ctx, a.channel, m)
}

func TestTextIsSentToItsThread(t *testing.T) {
	t.Parallel()
	for body, m := range map[string]provider.Outbound{
		`{"channel":"D1","text":"a &lt;!here&gt; &amp; 🙂"}`:  {To: "D1", Text: "a <!here> & 🙂"},
		`{"channel":"C1","text":"x","thread_ts":"1.1"}`:      {To: "U1", Thread: "C1:1.1", Text: "x"},
		`{"channel":"C1","text":"y","thread_ts":"1.1"}`:      {To: "U1", Thread: "C1:1.1", ReplyTo: "C1:2.2", Text: "y"},
		`{"channel":"D1","text":"z","thread_ts":"7.000001"}`: {To: "D1", ReplyTo: "D1:7.000001", Text: "z"},
	} {
		a := newApp(t, respond(http.StatusOK, `{"ok":true,"channel":"D9","ts":"1503435956.000247","message":{"text":"x"}}`))
		sent, err := a.send(t, m)
		require.NoError(t, err)
		require.Equal(t, []string{"D9:1503435956.000247"}, sent.ExternalIDs)
		require.Equal(t, "/api/chat.postMessage", a.path)
		require.Equal(t, "Bearer "+token, a.authorization)
		require.JSONEq(t, body, a.body)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		response string
		want     provider.SendError
	}{
		"rate limit":        {429, "", provider.SendError{Kind: provider.Retryable, Code: "ratelimited", RetryAfter: 30 * time.Second, WholeChannel: true}},
		"limit with 200":    {200, `{"ok":false,"error":"ratelimited"}`, provider.SendError{Kind: provider.Retryable, Code: "ratelimited", RetryAfter: 30 * time.Second, WholeChannel: true}},
		"token revoked":     {200, `{"ok":false,"error":"token_revoked"}`, provider.SendError{Kind: provider.Credentials, Code: "token_revoked"}},
		"no scope":          {200, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`, provider.SendError{Kind: provider.Credentials, Code: "missing_scope"}},
		"no such room":      {200, `{"ok":false,"error":"channel_not_found"}`, provider.SendError{Kind: provider.Blocked, Code: "channel_not_found"}},
		"archived":          {200, `{"ok":false,"error":"is_archived"}`, provider.SendError{Kind: provider.Blocked, Code: "is_archived"}},
		"too long":          {200, `{"ok":false,"error":"msg_too_long"}`, provider.SendError{Kind: provider.Permanent, Code: "msg_too_long"}},
		"a new code":        {200, `{"ok":false,"error":"something_new"}`, provider.SendError{Kind: provider.Permanent, Code: "something_new"}},
		"fatal":             {200, `{"ok":false,"error":"fatal_error"}`, provider.SendError{Kind: provider.Retryable, Code: "fatal_error", Ambiguous: true}},
		"server error":      {503, `{"ok":false,"error":"service_unavailable"}`, provider.SendError{Kind: provider.Retryable, Code: "service_unavailable"}},
		"proxy error":       {502, `<html>`, provider.SendError{Kind: provider.Retryable, Code: "502", RetryAfter: 30 * time.Second}},
		"gateway timeout":   {504, `<html>`, provider.SendError{Kind: provider.Retryable, Code: "504", RetryAfter: 30 * time.Second, Ambiguous: true}},
		"not found":         {404, `<html>`, provider.SendError{Kind: provider.Permanent, Code: "404"}},
		"success that lies": {200, `{"ok":true`, provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
		"success of none":   {200, `{"ok":true}`, provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
		"neither":           {200, `{}`, provider.SendError{Kind: provider.Retryable, Ambiguous: true}},
	} {
		_, err := newApp(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			respond(c.status, c.response)(w, r)
		}).send(t, provider.Outbound{To: "D1", Text: "x"})
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok, name)
		require.NotEmpty(t, failed.Detail, name)
		c.want.Detail, c.want.Cause = failed.Detail, failed.Cause
		require.Equal(t, c.want, *failed, name)
	}
}

func TestErrorsTellWhetherTheRequestWasSentAndHideTheToken(t *testing.T) {
	t.Parallel()
	refused := newApp(t, respond(http.StatusOK, ""))
	refused.channel.APIBaseURL = "http://127.0.0.1:1"
	silent := newApp(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for want, a := range map[bool]*app{false: refused, true: silent} {
		_, err := a.send(t, provider.Outbound{To: "D1", Text: "x"})
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, want, failed.Ambiguous)
		require.Equal(t, provider.Retryable, failed.Kind)
		require.NotContains(t, fmt.Sprintf("%v %v", err, failed.Cause), token)
	}
}

func TestCheckNamesTheWorkspaceAndTheBot(t *testing.T) {
	t.Parallel()
	a := newApp(t, respond(http.StatusOK, `{"ok":true,"team":"Shop","team_id":"T1","user":"support","bot_id":"B1"}`))
	name, err := a.Check(t.Context(), a.channel)
	require.NoError(t, err)
	require.Equal(t, "Shop @support", name)
	require.Equal(t, "/api/auth.test", a.path)
	a.channel.Config = json.RawMessage(`{"teamId":"T2"}`)
	_, err = a.Check(t.Context(), a.channel)
	failed, ok := errors.AsType[*provider.SendError](err)
	require.True(t, ok)
	require.Equal(t, provider.Credentials, failed.Kind)
}

func TestFilesAreFetchedWithTheToken(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, "bytes")
	})
	file, err := a.Fetch(t.Context(), a.channel, "/files-pri/T1-F1/a.png")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.Equal(t, "bytes", string(content))
	require.Equal(t, "/files-pri/T1-F1/a.png", a.path)
	require.Equal(t, "Bearer "+token, a.authorization)
	for status, kind := range map[int]provider.Kind{200: provider.Credentials, 302: provider.Credentials, 404: provider.Permanent, 500: provider.Retryable} {
		a := newApp(t, respond(status, "<!DOCTYPE html><html>Sign in</html>"))
		_, err := a.Fetch(t.Context(), a.channel, "/files-pri/T1-F1/a.png")
		failed, ok := errors.AsType[*provider.SendError](err)
		require.True(t, ok)
		require.Equal(t, kind, failed.Kind, status)
	}
	_, err = a.Fetch(t.Context(), a.channel, "@evil.example/x")
	require.Error(t, err)
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	p := &slack.Provider{}
	require.Empty(t, p.Validate(channel()))
	require.Len(t, p.Validate(provider.Channel{Credentials: map[string]string{"botToken": "a b\r\n"}}), 1)
}
