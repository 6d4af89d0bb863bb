package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/watch"
)

func TestListenForwardsSignedEventsAndDeletesItsWebhook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := dev(t, dir)
	kept, err := os.ReadFile(filepath.Join(dir, "demo-token"))
	require.NoError(t, err)
	token := strings.TrimSpace(string(kept))
	receiver := apitest.NewReceiver(t, nil)

	out := &watch.Text{}
	listener := command(t, []string{"CONVO_DATA_DIR=" + dir, "CONVO_URL=http://" + server.addr}, "listen", "--forward-to", receiver.URL, "--events", "lead.created,lead.status_changed")
	listener.Stdout, listener.Stderr = out, out
	require.NoError(t, listener.Start())
	signing := regexp.MustCompile(`wh_[0-9a-f]{48}`)
	secret := signing.FindString(out.Wait(t, signing.MatchString))
	_, listed := server.get("/api/v1/integrations", token)
	require.Contains(t, string(listed), `"temporary":true`)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+server.addr+"/api/v1/leads", strings.NewReader(`{"fields":{"name":"Anna"}}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)

	receiver.WaitFor(t, 1)[0].VerifySignatures(t, secret)
	out.Wait(t, regexp.MustCompile(`lead\.created +[0-9a-f-]{36} +-> 200 OK in `).MatchString)
	require.NoError(t, listener.Process.Signal(syscall.SIGINT))
	require.NoError(t, listener.Wait(), "%s", out)
	_, listed = server.get("/api/v1/integrations", token)
	require.NotContains(t, string(listed), `"temporary":true`)
}

func TestListenReportsErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := dev(t, dir)
	for want, environment := range map[string][]string{
		"401 Unauthorized":       {"CONVO_TOKEN=convo_00000000000000000000000000000000", "CONVO_URL=http://" + server.addr},
		"must be one of":         {"CONVO_DATA_DIR=" + dir, "CONVO_URL=http://" + server.addr},
		"connection refused":     {"CONVO_DATA_DIR=" + dir, "CONVO_URL=http://127.0.0.1:1"},
		"CONVO_TOKEN is not set": {"CONVO_DATA_DIR=" + filepath.Join(dir, "nowhere")},
	} {
		out, err := command(t, environment, "listen", "--forward-to", "http://localhost:3000/hook", "--events", "lead.invented").CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), want)
	}
}
