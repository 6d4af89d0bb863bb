package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/testing/apitest"
)

// Benchmarks of the three hot endpoints with the whole server, including the database,
// rate limits, logs and metrics. Profile them with -cpuprofile.

func benchmark(b *testing.B, method, path, body string, status int) {
	b.Helper()
	s := apitest.New(b, apitest.Options{RateLimits: true})
	space := s.Workspace(b, "acme")
	require.NoError(b, demo.LoadLeads(b.Context(), s.DB, space, s.Clock.Now(), 10_000, func(int) {}))
	s.Exec(b, "UPDATE workspaces SET rate_limit_per_minute = 1000000000")
	token := s.Token(b, space)
	if strings.Contains(path, "{id}") {
		lead := apitest.First[api.Lead](b, s, apitest.Space{ID: space, Token: token}, "/leads?limit=1")
		path = strings.ReplaceAll(path, "{id}", lead.ID.String())
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(method, spec.BasePath+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r)
		if w.Code != status {
			require.Equal(b, status, w.Code, w.Body.String())
		}
	}
}

// BenchmarkListLeads reads a page of 50.
func BenchmarkListLeads(b *testing.B) {
	benchmark(b, http.MethodGet, "/leads?limit=50", "", http.StatusOK)
}

// BenchmarkGetLead reads one.
func BenchmarkGetLead(b *testing.B) {
	benchmark(b, http.MethodGet, "/leads/{id}", "", http.StatusOK)
}

// BenchmarkCreateLead writes one.
func BenchmarkCreateLead(b *testing.B) {
	benchmark(b, http.MethodPost, "/leads", `{"fields":{"name":"Anna Nowak","email":"anna@example.com","phone":"+48 111 222 333"},"source":"external-form"}`, http.StatusCreated)
}
