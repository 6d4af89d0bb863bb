package slack_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/slack"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

func attached(content string) []provider.OutboundAttachment {
	return []provider.OutboundAttachment{{
		Name: "faktura ż.pdf", ContentType: "application/pdf", SizeBytes: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte(content))), nil
		},
	}}
}

func TestFilesAreSharedInTheirThread(t *testing.T) {
	t.Parallel()
	sim := simulator.NewSlack()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	settings := sim.Settings()
	p, c := &slack.Provider{Client: client}, provider.Channel{Config: settings.Config, Credentials: settings.Credentials, APIBaseURL: server.URL}
	sent, err := p.Send(t.Context(), c, provider.Outbound{To: "D1", Thread: "C1:1.1", Attachments: attached("%PDF")})
	require.NoError(t, err)
	require.Equal(t, []string{"C1:" + sim.Accepted()[0].ID}, sent.ExternalIDs)
	accepted := sim.Accepted()[0]
	require.Equal(t, "C1", accepted.To)
	require.Equal(t, "1.1", accepted.Thread)
	require.Equal(t, "faktura ż.pdf", accepted.Files[0].Name)
	require.Equal(t, "%PDF", string(accepted.Files[0].Content))

	_, err = p.Send(t.Context(), c, provider.Outbound{To: "D1", ReplyTo: sent.ExternalIDs[0], Text: "as the file says"})
	require.NoError(t, err)
	require.Equal(t, "D1", sim.Accepted()[1].To, "a file has no thread")
	require.Empty(t, sim.Accepted()[1].Thread)
}

// TestAnUploadThatFailsIsNoDoubtfulMessage: only the last call shares the file.
func TestAnUploadThatFailsIsNoDoubtfulMessage(t *testing.T) {
	t.Parallel()
	reset := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	place := func(w http.ResponseWriter, r *http.Request) {
		respond(http.StatusOK, `{"ok":true,"file_id":"F1","upload_url":"http://`+r.Host+`/upload/v1/F1"}`)(w, r)
	}
	for name, one := range map[string]struct {
		reserve, upload, complete http.HandlerFunc
		kind                      provider.Kind
		ambiguous                 bool
	}{
		"reserve":       {reset, nil, nil, provider.Retryable, false},
		"reserved lie":  {respond(http.StatusOK, `{"ok":tr`), nil, nil, provider.Retryable, false},
		"elsewhere":     {respond(http.StatusOK, `{"ok":true,"file_id":"F1","upload_url":"https://evil.example/"}`), nil, nil, provider.Permanent, false},
		"not permitted": {respond(http.StatusOK, `{"ok":false,"error":"missing_scope","needed":"files:write"}`), nil, nil, provider.Credentials, false},
		"upload":        {place, reset, nil, provider.Retryable, false},
		"upload 500":    {place, respond(http.StatusInternalServerError, ""), nil, provider.Retryable, false},
		"complete":      {place, respond(http.StatusOK, "OK"), reset, provider.Retryable, true},
	} {
		a := newApp(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "getUploadURLExternal"):
				one.reserve(w, r)
			case strings.HasPrefix(r.URL.Path, "/upload/"):
				one.upload(w, r)
			default:
				one.complete(w, r)
			}
		})
		_, err := a.send(t, provider.Outbound{To: "D1", Attachments: attached("x")})
		var failed *provider.SendError
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, one.kind, failed.Kind, name)
		require.Equal(t, one.ambiguous, failed.Ambiguous, name)
	}
	a := newApp(t, respond(http.StatusOK, "{}"))
	broken := attached("x")
	broken[0].Open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("no such blob") }
	_, err := a.send(t, provider.Outbound{To: "D1", Attachments: broken})
	require.ErrorContains(t, err, "cannot be read")
	require.Empty(t, a.path, "Slack is not called")
}
