package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// newmanPath is where `make test` installs newman, the runner of Postman.
const newmanPath = "../tools/node_modules/.bin/newman"

// TestCollectionRunsInNewman sends every request of the collection and runs all its
// assertions, in an empty workspace and in both of the demo: each request creates what it
// needs.
func TestCollectionRunsInNewman(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(newmanPath); err != nil {
		t.Fatal("newman is not installed: run `make scripts/tools/node_modules` (requires Node.js)")
	}
	s := apitest.New(t, apitest.Options{Workers: true, Providers: channeltest.Registry()})
	demo, other := s.Demo(t)
	for name, token := range map[string]string{"empty": s.Token(t, s.Workspace(t, "empty")), "demo": demo.Token, "other": other.Token} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stats := runNewman(t, s.URL, token)
			require.GreaterOrEqual(t, stats.Requests.Total, len(s.Document.Operations))
			require.Zero(t, stats.Requests.Failed)
			require.GreaterOrEqual(t, stats.Assertions.Total, 3*len(s.Document.Operations))
			apitest.Tallyf(t, "newman: %d requests, %d assertions, %d failed", stats.Requests.Total, stats.Assertions.Total, stats.Assertions.Failed)
		})
	}
}

// stats are the counters of a run of newman.
type stats struct {
	Requests   tally `json:"requests"`
	Assertions tally `json:"assertions"`
}

// runNewman runs the collection, in which no assertion may fail.
func runNewman(t *testing.T, base, token string) stats {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	out, err := exec.CommandContext(t.Context(), newmanPath, "run", "../../openapi/postman.json",
		"--env-var", "baseUrl="+base, "--env-var", "apiToken="+token,
		"--reporters", "cli,json", "--reporter-json-export", report, "--color", "off", "--disable-unicode").CombinedOutput()
	require.NoError(t, err, string(out))
	raw, err := os.ReadFile(report)
	require.NoError(t, err)
	var result struct {
		Run struct {
			Stats    stats `json:"stats"`
			Failures []any `json:"failures"`
		} `json:"run"`
	}
	require.NoError(t, json.Unmarshal(raw, &result))
	require.Empty(t, result.Run.Failures)
	return result.Run.Stats
}

// tally holds the counters of newman.
type tally struct {
	Total  int `json:"total"`
	Failed int `json:"failed"`
}

// TestCollectionHasTwoVariables checks the documented structure of the collection.
func TestCollectionHasTwoVariables(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../openapi/postman.json")
	require.NoError(t, err)
	var c collection
	require.NoError(t, json.Unmarshal(raw, &c))
	require.Equal(t, format, c.Info.Schema)
	require.Len(t, c.Variable, 2)
	require.Equal(t, "baseUrl", c.Variable[0].Key)
	require.Equal(t, "apiToken", c.Variable[1].Key)
	require.Equal(t, "bearer", c.Auth.Type)
	require.Equal(t, "{{apiToken}}", c.Auth.Bearer[0].Value)
	for _, folder := range c.Item {
		for _, one := range folder.Item {
			require.Equal(t, []string{"{{baseUrl}}"}, one.Request.URL.Host, one.Name)
		}
	}
}
