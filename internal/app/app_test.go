package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func parts(on *postgres.DB) app.Parts {
	return app.Parts{DB: on, Key: apitest.Key, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}}
}

func settings(t *testing.T) app.Config {
	t.Helper()
	return app.Config{Storage: t.TempDir(), RequestTimeout: 30 * time.Second, ShutdownTimeout: time.Minute}
}

// pools counts the open connection pools of the process by their goroutines.
func pools(t *testing.T) int {
	t.Helper()
	var stacks bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 2))
	return strings.Count(stacks.String(), "pgxpool.(*Pool).backgroundHealthCheck(")
}

// TestFailedStartClosesItsPools starts a server whose last constructor fails.
//
//nolint:paralleltest // counts the goroutines of the whole process
func TestFailedStartClosesItsPools(t *testing.T) {
	on := testdb.New(t)
	require.Eventually(t, func() bool { return pools(t) > 0 }, 10*time.Second, time.Millisecond, "the pool under test has started")
	before := pools(t)
	config, with := settings(t), parts(on)
	config.TrustedProxies, with.Workers = []string{"not a network"}, true
	_, err := app.New(t.Context(), config, with)
	require.ErrorContains(t, err, "CONVO_TRUSTED_PROXIES")
	require.Eventually(t, func() bool { return pools(t) == before }, 10*time.Second, time.Millisecond, "the pools of dispatcher and audit log stay open")

	config.TrustedProxies = nil
	a, err := app.New(t.Context(), config, with)
	require.NoError(t, err)
	require.Greater(t, pools(t), before)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	a.Run(ctx)
	require.Eventually(t, func() bool { return pools(t) == before }, 10*time.Second, time.Millisecond, "the loops close the pools at the end")
}

// blocking makes GET /block wait until release is closed; entered is closed when it waits.
func blocking(next http.Handler) (handler http.Handler, entered, release chan struct{}) {
	entered, release = make(chan struct{}), make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/block" {
			next.ServeHTTP(w, r)
			return
		}
		close(entered)
		<-release
		w.WriteHeader(http.StatusNoContent)
	}), entered, release
}

// running is a server that Serve runs.
type running struct {
	handler  http.Handler
	listener net.Listener
	address  string
	stop     context.CancelFunc
	served   chan error
	release  chan struct{}
	blocked  chan *http.Response // the response of GET /block; nil after an error
}

// serve starts a server with one request in flight.
func serve(t *testing.T, config app.Config) *running {
	t.Helper()
	a, err := app.New(t.Context(), config, parts(testdb.New(t)))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &running{handler: a.Handler, listener: listener, address: listener.Addr().String(), served: make(chan error, 1), blocked: make(chan *http.Response, 1)}
	var entered chan struct{}
	a.Handler, entered, r.release = blocking(a.Handler)
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	t.Cleanup(stop)
	go func() { r.served <- a.Serve(ctx, listener, config) }()
	go func() {
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "http://"+r.address+"/block", nil)
		if err == nil {
			var response *http.Response
			if response, err = http.DefaultClient.Do(request); err == nil {
				_ = response.Body.Close()
				r.blocked <- response
				return
			}
		}
		r.blocked <- nil
	}()
	<-entered
	return r
}

func (r *running) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestShutdownFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	r := serve(t, settings(t))
	require.Equal(t, http.StatusOK, r.get("/readyz").Code)
	r.stop()
	require.Eventually(t, func() bool { return r.get("/readyz").Code == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	require.Equal(t, "shutting down\n", r.get("/readyz").Body.String(), "load balancers send no new requests")
	require.Equal(t, http.StatusOK, r.get("/healthz").Code, "and the process is not restarted")
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "new connections are refused")
	select {
	case err := <-r.served:
		require.Fail(t, "did not wait for the request in flight", "%v", err)
	default:
	}
	close(r.release)
	response := <-r.blocked
	require.NotNil(t, response)
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	require.NoError(t, <-r.served)
}

// TestRequestsAreServedDuringTheShutdownDelay ends the delay by closing the listener.
func TestRequestsAreServedDuringTheShutdownDelay(t *testing.T) {
	t.Parallel()
	config := settings(t)
	config.ShutdownDelay = time.Hour
	r := serve(t, config)
	r.stop()
	require.Eventually(t, func() bool { return r.get("/readyz").Code == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + r.address + "/healthz")
	require.NoError(t, err, "new connections are accepted")
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, r.listener.Close())
	require.ErrorContains(t, <-r.served, "serve: ")
	close(r.release)
	<-r.blocked
}

func TestShutdownContinuesAfterItsDelay(t *testing.T) {
	t.Parallel()
	config := settings(t)
	config.ShutdownDelay = 10 * time.Millisecond
	r := serve(t, config)
	close(r.release)
	<-r.blocked
	r.stop()
	require.NoError(t, <-r.served)
}

func TestShutdownGivesUpAfterTimeout(t *testing.T) {
	t.Parallel()
	config := settings(t)
	config.ShutdownTimeout = 10 * time.Millisecond
	r := serve(t, config)
	r.stop()
	require.ErrorContains(t, <-r.served, "requests still running after 7.5ms")
	close(r.release)
	<-r.blocked
}

func TestServeReturnsListenerErrors(t *testing.T) {
	t.Parallel()
	a, err := app.New(t.Context(), settings(t), parts(testdb.New(t)))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorContains(t, a.Serve(t.Context(), listener, settings(t)), "serve: ")
}

// TestReadinessFollowsTheDatabase cuts the connection to the database.
func TestReadinessFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	proxy := apitest.NewProxy(t, testdb.URL(t))
	on, err := postgres.Open(t.Context(), proxy.URL, postgres.Options{MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	a, err := app.NewWorker(t.Context(), settings(t), parts(on))
	require.NoError(t, err)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	require.Equal(t, http.StatusOK, get("/readyz").Code)
	metrics := httptest.NewRecorder()
	a.Ops.ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, name := range []string{"convo_db_connections_max 2", `convo_db_connections{state="idle"}`, "convo_db_waits_total", "go_goroutines", "process_open_fds"} {
		require.Contains(t, metrics.Body.String(), name)
	}
	require.Equal(t, http.StatusNotFound, get("/api/v1/leads").Code, "a worker serves no API")
	proxy.Cut()
	require.Eventually(t, func() bool { return get("/readyz").Code == http.StatusServiceUnavailable }, 10*time.Second, 10*time.Millisecond)
	down := get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, down.Code)
	require.Equal(t, "database unavailable\n", down.Body.String())
	require.Equal(t, "no-store", down.Header().Get("Cache-Control"))
	require.Equal(t, http.StatusOK, get("/healthz").Code, "a restart would not help")
}

// TestPathsAreRouted checks which part of the server handles a path.
func TestPathsAreRouted(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for path, want := range map[string]struct {
		status      int
		contentType string
		location    string
	}{
		"/":                    {http.StatusSeeOther, "text/html; charset=utf-8", "/docs"},
		"/docs":                {http.StatusOK, "text/html; charset=utf-8", ""},
		"/docs/none":           {http.StatusNotFound, "text/html; charset=utf-8", ""},
		"/docsx":               {http.StatusNotFound, "application/problem+json", ""},
		"/app/analytics":       {http.StatusSeeOther, "text/html; charset=utf-8", "/app/sign-in?next=%2Fapp%2Fanalytics"},
		"/application":         {http.StatusNotFound, "application/problem+json", ""},
		"/assets/none.css":     {http.StatusNotFound, "text/plain; charset=utf-8", ""},
		"/widget.js":           {http.StatusOK, "text/javascript; charset=utf-8", ""},
		"/widget/frame":        {http.StatusNotFound, "text/plain; charset=utf-8", ""},
		"/widget/demo":         {http.StatusNotFound, "text/plain; charset=utf-8", ""},
		"/widgets":             {http.StatusNotFound, "application/problem+json", ""},
		"/healthz":             {http.StatusOK, "text/plain; charset=utf-8", ""},
		"/healthz/":            {http.StatusNotFound, "application/problem+json", ""},
		"/api/v1":              {http.StatusNotFound, "application/problem+json", ""},
		"/api/v1/openapi.json": {http.StatusOK, "application/json", ""},
		"/api/v2/leads":        {http.StatusNotFound, "application/problem+json", ""},
		"/metrics":             {http.StatusNotFound, "application/problem+json", ""},
		"/debug/pprof/":        {http.StatusNotFound, "application/problem+json", ""},
		"//docs":               {http.StatusNotFound, "application/problem+json", ""},
		"/docs/../app":         {http.StatusNotFound, "text/html; charset=utf-8", ""},
	} {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://x"+path, nil))
		require.Equal(t, want.status, w.Code, path)
		require.Equal(t, want.contentType, w.Header().Get("Content-Type"), path)
		require.Equal(t, want.location, w.Header().Get("Location"), path)
	}
}

// TestForwardedForNeedsTrustedProxy: otherwise callers could choose the IP address that
// rate limits and the audit log use.
func TestForwardedForNeedsTrustedProxy(t *testing.T) {
	t.Parallel()
	for proxies, want := range map[string][]string{"": {"59", "58", "57"}, "192.0.2.0/24": {"59", "59", "58"}, "198.51.100.0/24": {"59", "58", "57"}} {
		var config app.Config
		if proxies != "" {
			config.TrustedProxies = []string{proxies}
		}
		s := apitest.New(t, apitest.Options{RateLimits: true, Config: config})
		var got []string
		for _, forwarded := range []string{"203.0.113.1", "203.0.113.2", "evil, 203.0.113.2"} {
			r, w := httptest.NewRequest(http.MethodGet, "/api/v1/leads", nil), httptest.NewRecorder()
			r.RemoteAddr = "192.0.2.7:4711"
			r.Header.Set("X-Forwarded-For", forwarded)
			s.Handler.ServeHTTP(w, r)
			got = append(got, w.Header().Get("X-RateLimit-Remaining"))
		}
		require.Equal(t, want, got, proxies)
	}
}

func TestPublicURLMayEndWithSlash(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: app.Config{PublicURL: "https://convo.example/"}})
	token := s.Token(t, s.Workspace(t, "acme"))
	for range 2 {
		s.Post(t, token, "/tags", map[string]string{"name": s.Clock.Now().String()}).Want(t, http.StatusCreated)
		s.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
		s.Clock.Advance(time.Second)
	}
	link := s.Get(t, token, "/leads?limit=1").Want(t, http.StatusOK).Header.Get("Link")
	require.True(t, strings.HasPrefix(link, "<https://convo.example/api/v1/leads?"), link)
	problem := s.Get(t, "", "/leads").Problem(t, http.StatusUnauthorized, "unauthenticated")
	require.Equal(t, "https://convo.example/docs/errors/unauthenticated", problem.Type)
}

func TestLogLevelIsChecked(t *testing.T) {
	t.Parallel()
	_, _, err := app.NewLogger(&bytes.Buffer{}, "loud")
	require.ErrorContains(t, err, "log level")
}
