package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/failpoint"
)

// TestAKeyedRequestSurvivesAKillAtEachPoint kills a server at each step of a request with
// a key, and sends the request to a new server until it succeeds: there is one lead.
func TestAKeyedRequestSurvivesAKillAtEachPoint(t *testing.T) {
	t.Parallel()
	b := newKnowledgeBed(t)
	f := &faults{environment: append(slices.Clip(b.environment), "CONVO_REQUEST_TIMEOUT=1s")}
	f.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "acme", "--name", "keys", "--scope", "leads:write"))
	killer := filepath.Join(t.TempDir(), "convo")
	said, err := exec.Command("go", "build", "-tags", "failpoint", "-o", killer, ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
	after := start(t, f.environment, "serve", "--workers=false")
	connection, err := pgx.Connect(t.Context(), b.url)
	require.NoError(t, err)
	for _, point := range []string{failpoint.KeyReserved, failpoint.ChangeMade, failpoint.ResponseStored, failpoint.Committed} {
		f.server.Store(startBinary(t, killer, append(slices.Clip(f.environment), failpoint.Variable+"="+point), "serve", "--workers=false"))
		body := `{"fields":{"name":"` + point + `"}}`
		status, _ := f.send(t.Context(), "/leads", point, body)
		require.Zero(t, status, "%s: killed before its response", point)
		<-f.server.Load().ended
		f.server.Store(after)
		require.Eventually(t, func() bool {
			status, _ := f.send(t.Context(), "/leads", point, body)
			return status == http.StatusCreated
		}, time.Minute, 50*time.Millisecond, point)
		leads := collect(t, connection, "SELECT id FROM leads WHERE fields ->> 'name' = '"+point+"'")
		require.Len(t, leads, 1, point)
	}
	require.NoError(t, connection.Close(t.Context()))
}
