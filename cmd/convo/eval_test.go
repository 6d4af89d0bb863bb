package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
)

func TestEvalMeasuresAnAgentOfARunningServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := dev(t, dir)
	kept, err := os.ReadFile(filepath.Join(dir, demoTokenFile))
	require.NoError(t, err)
	status, raw := server.get("/api/v1/agents", strings.TrimSpace(string(kept)))
	require.Equal(t, http.StatusOK, status)
	var agents []api.Agent
	require.NoError(t, json.Unmarshal(raw, &agents))
	set := filepath.Join(dir, "set.yaml")
	require.NoError(t, os.WriteFile(set, []byte(`
cases:
  - {id: norway, ask: [Hello, 'Do you deliver to Norway?'], expect: {outcome: ANSWERED, facts: [norway], sources: [help.md]}}
  - {id: bread, category: out_of_database, ask: ['How do I bake bread?'], expect: {outcome: REFUSED}}
  - {id: lead, ask: ['My name is Ada Lovelace, my email is ada@example.com'], expect: {lead: {name: Ada Lovelace, email: ada@example.com}}}
`), 0o600))
	environment := []string{"CONVO_DATA_DIR=" + dir, "CONVO_URL=http://" + server.addr}
	eval := func(args ...string) (string, error) {
		running := command(t, environment, append([]string{"eval", agents[0].ID.String(), "--set", set}, args...)...)
		var problems strings.Builder
		running.Stderr = &problems
		out, err := running.Output()
		if err != nil {
			return string(out) + problems.String(), err
		}
		return string(out), nil
	}
	out, err := eval()
	require.NoError(t, err, out)
	require.Regexp(t, `cases as expected +1\.000 +3 of 3`, out)
	require.Regexp(t, `a source among the five best passages +1\.000 +1 of 1`, out)
	require.Regexp(t, `cost +0\.000000`, out)

	out, err = eval("--json")
	require.NoError(t, err, out)
	require.True(t, json.Valid([]byte(out)), out)

	require.NoError(t, os.WriteFile(set, []byte("cases: [{id: moon, ask: ['Do you deliver to Norway?'], expect: {facts: [moon]}}]"), 0o600))
	out, err = eval()
	require.Error(t, err)
	require.Contains(t, out, `moon: the reply does not say "moon"`)
	require.Contains(t, out, "0 of 1 cases are as expected")
}
