// Package apitest runs the whole server with a real database and a real socket, and
// validates every response against the OpenAPI document.
package apitest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/testing/reader"
	"github.com/avelto/convo/internal/testing/testdb"
	"github.com/avelto/convo/internal/testing/watch"
)

// Key is the secret key of every test server.
var Key = bytes.Repeat([]byte{7}, 32)

// Server is a running server with a database of its own.
type Server struct {
	URL     string // with the base path
	Origin  string // without
	Handler http.Handler
	// Ops serves metrics and profiles.
	Ops http.Handler
	// Storage is the directory of its files.
	Storage string
	// DatabaseURL is the server's, to start another server on the same database.
	DatabaseURL string
	DB          *postgres.DB
	Clock       *clock.Fake
	IDs         *id.Generator
	Tokens      *token.Service
	Document    *spec.Document
	log         *watch.Text
	checker     *checker
}

// Config is the configuration of a server.
type Config = app.Config

// Options configure a server. The zero value is a production server without rate limits.
type Options struct {
	Config Config
	// DatabaseURL is an existing database. If it is empty, a new one is created.
	DatabaseURL string
	// DirectURL leads to the same database if DatabaseURL is that of a pooler.
	DirectURL string
	// Key is the secret key, Key if nil. OldKeys are previous ones.
	Key     []byte
	OldKeys [][]byte
	// MaxConns is the size of the database pool. 0 uses 8.
	MaxConns int32
	// RateLimits enables rate limits.
	RateLimits bool
	// Workers runs the workers. Webhooks may be on loopback.
	Workers bool
	// Providers replace the channel types; nil for those of a production server.
	Providers provider.Registry
	// Models replace the model providers; nil for those of a production server.
	Models model.Registry
	// Simulators have a page in the console.
	Simulators *simulator.Set
	// PublicURL sets the public URL to the server's own address.
	PublicURL bool
}

// unlimited is a limiter that allows all requests.
type unlimited struct{}

// Take implements ratelimit.Limiter.
func (unlimited) Take(_ context.Context, _ string, limit ratelimit.Limit) (ratelimit.Result, error) {
	return ratelimit.Result{Allowed: true, Remaining: limit.Requests, ResetAfter: limit.Window}, nil
}

// New starts a server and stops it at the end of the test.
func New(t testing.TB, options Options) *Server {
	t.Helper()
	if options.DatabaseURL == "" {
		options.DatabaseURL = testdb.URL(t)
	}
	on, err := postgres.Open(t.Context(), options.DatabaseURL, postgres.Options{MaxConns: cmp.Or(options.MaxConns, 8), DirectURL: options.DirectURL})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	document, err := spec.Published()
	require.NoError(t, err)
	if options.Config.RequestTimeout == 0 {
		options.Config.RequestTimeout = 30 * time.Second
	}
	if options.Config.Storage == "" {
		options.Config.Storage = t.TempDir()
	}
	s := &Server{
		DB: on, Document: document, Clock: clock.NewFake(time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)),
		log: &watch.Text{}, checker: shared(), DatabaseURL: options.DatabaseURL, Storage: options.Config.Storage,
	}
	parts := app.Parts{DB: on, Key: Key, OldKeys: options.OldKeys, Clock: s.Clock, Log: slog.New(slog.NewJSONHandler(s.log, nil)), Providers: options.Providers, Models: options.Models, Simulators: options.Simulators}
	if options.Key != nil {
		parts.Key = options.Key
	}
	if parts.Workers = options.Workers; options.Workers {
		parts.Poll = 20 * time.Millisecond // what is due by the fake clock is found by polling
		require.True(t, isReader, "TestMain must call apitest.Main: workers start this binary as the reader process")
		parts.ExtractBinary, err = reader.Path()
		require.NoError(t, err)
		options.Config.AllowedTargets = []string{"127.0.0.0/8", "::1/128"}
	}
	if !options.RateLimits && options.Config.RedisURL == "" {
		parts.Limiter = unlimited{}
	}
	listener := httptest.NewUnstartedServer(nil)
	if options.PublicURL {
		options.Config.PublicURL = "http://" + listener.Listener.Addr().String()
	}
	a, err := app.New(t.Context(), options.Config, parts)
	require.NoError(t, err)
	s.Handler, s.Ops, s.Tokens, s.IDs = a.Handler, a.Ops, a.Tokens, id.NewGenerator(s.Clock)
	s.run(t, a, listener)
	return s
}

func (s *Server) run(t testing.TB, a *app.App, listener *httptest.Server) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	listener.Config.Handler, listener.Listener = a.Handler, a.Listen(listener.Listener)
	listener.Start()
	s.Origin, s.URL = listener.URL, listener.URL+spec.BasePath
	t.Cleanup(func() {
		listener.Close()
		stop()
		<-ended
	})
}

// Workspace creates a workspace.
func (s *Server) Workspace(t testing.TB, slug string) uuid.UUID {
	t.Helper()
	row, err := (&workspace.Service{DB: s.DB, IDs: s.IDs}).Ensure(t.Context(), slug, slug)
	require.NoError(t, err)
	return row.ID
}

// Token creates a token with some scopes, or all if none is given.
func (s *Server) Token(t testing.TB, workspaceID uuid.UUID, scopes ...api.Scope) string {
	t.Helper()
	if len(scopes) == 0 {
		scopes = s.Document.Scopes
	}
	return s.TokenWith(t, token.NewToken{WorkspaceID: workspaceID, Name: t.Name(), Scopes: scopes})
}

// TokenWith creates a token with all its settings.
func (s *Server) TokenWith(t testing.TB, in token.NewToken) string {
	t.Helper()
	plaintext, _, err := s.Tokens.Create(t.Context(), s.DB, in)
	require.NoError(t, err)
	return plaintext
}

// Exec runs a statement on the server's database.
func (s *Server) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	_, err := s.DB.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

// Sequence returns once all events have a number. It numbers them, as the workers of the
// server may be doing, if it has any.
func (s *Server) Sequence(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		require.NoError(t, (&event.Sequencer{DB: s.DB}).Sequence(t.Context()))
		require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox").Scan(&waiting))
		return waiting == 0
	}, time.Minute, time.Millisecond)
}

// Request is a request to send. A Body that is a string, []byte or io.Reader is sent
// unchanged, any other as JSON.
type Request struct {
	Method string
	Path   string // below the base path, with its query
	Token  string
	Body   any
	Header map[string]string
}

// Response is a response whose body was read and that was validated.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and validates the response against the document.
func (s *Server) Do(t testing.TB, r Request) Response {
	t.Helper()
	var body io.Reader
	if r.Body != nil {
		body = encode(t, r.Body)
	}
	request, err := http.NewRequestWithContext(t.Context(), r.Method, s.URL+r.Path, body)
	require.NoError(t, err)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	return s.Send(t, request)
}

// Send is Do for an *http.Request.
func (s *Server) Send(t testing.TB, request *http.Request) Response {
	t.Helper()
	received, err := client.Do(request)
	require.NoError(t, err)
	defer received.Body.Close()
	raw, err := io.ReadAll(received.Body)
	require.NoError(t, err)
	response := Response{Status: received.StatusCode, Header: received.Header, Body: raw}
	if strings.HasPrefix(request.URL.Path, spec.BasePath) {
		s.checker.check(t, request, response)
	}
	return response
}

// client does not follow redirects and reuses connections.
var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       time.Minute,
}

// LogText returns the server's log so far, as JSON lines.
func (s *Server) LogText() string { return s.log.String() }

// WaitForLog waits until the server's log contains a part, and returns the log.
func (s *Server) WaitForLog(t testing.TB, part string) string {
	t.Helper()
	return s.log.WaitFor(t, part)
}
