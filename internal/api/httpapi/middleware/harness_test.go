package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

var now = time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)

// bearer is a well-formed token. What it is allowed to do is up to the chain's principal.
const bearer = "Bearer convo_0123456789abcdef0123456789abcdef"

// chain serves every operation of the document with the real middleware, but with a
// configurable authenticator, limiter and handler.
type chain struct {
	document  *spec.Document
	echo      *echo.Echo
	registry  *prometheus.Registry
	log       bytes.Buffer
	handler   echo.HandlerFunc
	principal *token.Principal // nil if the token is not live
	authErr   error
	limit     ratelimit.Result
	limitErr  error

	mu   sync.Mutex
	keys []string          // of the requests that were counted
	used []ratelimit.Limit // their limits
}

// Authenticate implements middleware.Authenticator.
func (c *chain) Authenticate(_ context.Context, _ token.Hash, _ string) (*token.Principal, error) {
	switch {
	case c.authErr != nil:
		return nil, c.authErr
	case c.principal == nil:
		return nil, token.ErrNotLive
	}
	return c.principal, nil
}

// Take implements ratelimit.Limiter.
func (c *chain) Take(_ context.Context, key string, limit ratelimit.Limit) (ratelimit.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys, c.used = append(c.keys, key), append(c.used, limit)
	return c.limit, c.limitErr
}

// newChain returns a chain that allows all requests with a token of all scopes, and whose
// handler returns not_found.
func newChain(t *testing.T) *chain {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	c := &chain{
		document: document, echo: echo.New(), registry: prometheus.NewRegistry(),
		handler:   func(echo.Context) error { return problem.NotFound() },
		principal: &token.Principal{WorkspaceID: uuid.New(), TokenID: uuid.New(), Scopes: document.Scopes},
		limit:     ratelimit.Result{Allowed: true, Remaining: 41, ResetAfter: 12300 * time.Millisecond},
	}
	observer := middleware.NewObserver(slog.New(slog.NewJSONHandler(&c.log, nil)), c.registry)
	gate := &middleware.Gate{Document: document, Authenticator: c, Limiter: c, Clock: clock.NewFake(now)}
	c.echo.Pre(middleware.Begin(time.Minute, &problem.Writer{Kinds: document.Errors, Docs: "https://x/docs/errors/"}, observer.Report))
	c.echo.Use(gate.Admit, middleware.Validate(document))
	for _, o := range document.Operations {
		path := spec.BasePath + strings.NewReplacer("{", ":", "}", "").Replace(o.Path)
		c.echo.Add(o.Method, path, func(ctx echo.Context) error { return c.handler(ctx) })
	}
	return c
}

// operation returns an operation of the document.
func (c *chain) operation(t *testing.T, id string) *spec.Operation {
	t.Helper()
	for _, o := range c.document.Operations {
		if o.ID == id {
			return o
		}
	}
	require.Fail(t, "no such operation", id)
	return nil
}

// valid returns a valid request to an operation, with a token.
func (c *chain) valid(t *testing.T, o *spec.Operation) *http.Request {
	t.Helper()
	examples, err := c.document.Examples()
	require.NoError(t, err)
	e := examples[o.ID]
	body := e.Body
	if e.File != "" {
		body = []byte("%PDF-1.7")
	}
	r := httptest.NewRequest(o.Method, spec.BasePath+e.Target(), bytes.NewReader(body))
	if e.ContentType != "" {
		r.Header.Set("Content-Type", e.ContentType)
	}
	for _, h := range e.Header {
		r.Header.Set(h.Name, h.Value)
	}
	r.Header.Set("Authorization", bearer)
	return r
}

func (c *chain) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.echo.ServeHTTP(w, r)
	return w
}

// requireProblem requires an error response with a code.
func requireProblem(t *testing.T, w *httptest.ResponseRecorder, code api.ErrorCode, what ...any) api.Problem {
	t.Helper()
	var got api.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), what...)
	require.Equal(t, code, got.Code, what...)
	require.EqualValues(t, w.Code, got.Status, what...)
	require.Equal(t, w.Header().Get("X-Request-Id"), got.RequestID, what...)
	return got
}
