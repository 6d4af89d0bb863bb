package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestGuessesCostNoQueries sends unknown tokens and session cookies, and counts the
// statements.
func TestGuessesCostNoQueries(t *testing.T) {
	t.Parallel()
	for name, guess := range map[string]func(*http.Request){
		"/api/v1/leads":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Mint()) },
		"/app/analytics": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "convo_session", Value: token.Mint()}) },
	} {
		s := apitest.New(t, apitest.Options{RateLimits: true})
		good := s.Token(t, s.Workspace(t, "acme"))
		send := func(ip string, authorize func(*http.Request)) *httptest.ResponseRecorder {
			path, w := name, httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = ip + ":4711"
			authorize(r)
			s.Handler.ServeHTTP(w, r)
			return w
		}
		before := s.DB.Pool().Stat().AcquireCount()
		var last *httptest.ResponseRecorder
		for range 500 {
			last = send("192.0.2.7", guess)
		}
		require.Equal(t, http.StatusTooManyRequests, last.Code, name)
		require.NotEmpty(t, last.Header().Get("Retry-After"), name)
		require.Less(t, s.DB.Pool().Stat().AcquireCount()-before, int64(60+40), "%s: the limit, and what runs in the background", name)
		require.NotEqual(t, http.StatusTooManyRequests, send("192.0.2.8", guess).Code, name)
		if strings.HasPrefix(name, "/api") {
			require.Equal(t, `"anonymous";r=0;t=60`, last.Header().Get("RateLimit"))
			r := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+good) }
			require.Equal(t, http.StatusOK, send("192.0.2.8", r).Code)
			require.Equal(t, http.StatusOK, send("192.0.2.7", r).Code, "%s: a token in use still works from the address", name)
		}
	}
}
