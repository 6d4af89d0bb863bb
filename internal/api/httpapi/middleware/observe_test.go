package middleware_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// entries returns the log's lines without their time and duration.
func (c *chain) entries(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(c.log.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		require.GreaterOrEqual(t, entry["durationMs"], 0.0)
		maps.DeleteFunc(entry, func(name string, _ any) bool { return name == "time" || name == "durationMs" })
		all = append(all, entry)
	}
	return all
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	known := func(target string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, spec.BasePath+target, nil)
		r.Header.Set("Authorization", bearer)
		r.Header.Set("X-Request-Id", "given")
		return r
	}
	space := c.principal.WorkspaceID.String()
	c.handler = func(ctx echo.Context) error { return ctx.String(http.StatusOK, "12345") }
	c.send(known("/agents"))
	c.handler = func(echo.Context) error { return errors.New("disk full") }
	c.send(known("/agents"))
	c.handler = func(echo.Context) error { return problem.NotFound() }
	c.send(known("/agents/" + uuid.NewString()))
	c.principal = nil
	c.send(known("/nope?email=anna@example.com"))
	entries := c.entries(t)
	require.Len(t, entries, 4)
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "request", "requestId": "given", "operationId": "listAgents", "status": 200.0, "bytes": 5.0, "workspaceId": space,
	}, entries[0])
	require.Equal(t, "ERROR", entries[1]["level"])
	require.Contains(t, entries[1]["error"], "disk full")
	require.Equal(t, "INFO", entries[2]["level"], "client errors are no errors of the server")
	require.Equal(t, "getAgent", entries[2]["operationId"])
	require.Equal(t, "unmatched", entries[3]["operationId"])
	require.Equal(t, spec.BasePath+"/nope", entries[3]["path"])
	require.NotContains(t, entries[3], "workspaceId")
	require.NotContains(t, c.log.String(), "anna@example.com", "queries are not logged")
	require.NotContains(t, c.log.String(), "0123456789abcdef", "tokens are not logged")
}

// metric returns the value of a counter, or the number of observations of a histogram.
func (c *chain) metric(t *testing.T, name string, labels map[string]string) int {
	t.Helper()
	families, err := c.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			got := map[string]string{}
			for _, label := range m.GetLabel() {
				got[label.GetName()] = label.GetValue()
			}
			if maps.Equal(got, labels) {
				return int(m.GetCounter().GetValue()) + int(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	list := c.operation(t, "listAgents")
	c.handler = func(ctx echo.Context) error { return ctx.NoContent(http.StatusOK) }
	for range 3 {
		c.send(c.valid(t, list))
	}
	c.handler = func(echo.Context) error { panic("bug") }
	c.send(c.valid(t, list))
	c.limit.Allowed = false
	c.send(c.valid(t, list))
	c.send(httptest.NewRequest(http.MethodGet, "/nope/1", nil))
	c.send(httptest.NewRequest(http.MethodGet, "/nope/2", nil))
	for status, want := range map[string]int{"200": 3, "500": 1, "429": 1, "404": 0} {
		require.Equal(t, want, c.metric(t, "convo_http_requests_total", map[string]string{"operation": "listAgents", "status": status}), status)
	}
	require.Equal(t, 2, c.metric(t, "convo_http_requests_total", map[string]string{"operation": "unmatched", "status": "429"}), "paths are no labels")
	require.Equal(t, 5, c.metric(t, "convo_http_request_duration_seconds", map[string]string{"operation": "listAgents"}))
	require.Equal(t, 1, c.metric(t, "convo_http_rate_limited_total", map[string]string{"operation": "listAgents"}))
}
