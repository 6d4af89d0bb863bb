package middleware_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
)

// begin sends one request to a handler wrapped in Begin.
func begin(t *testing.T, handler echo.HandlerFunc) (*httptest.ResponseRecorder, int) {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	e, reports := echo.New(), 0
	e.Pre(middleware.Begin(time.Minute, &problem.Writer{Kinds: document.Errors}, func(echo.Context, *middleware.Call) { reports++ }))
	e.GET("/", handler)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w, reports
}

func TestPanicReturnsInternalErrorWithoutDetails(t *testing.T) {
	t.Parallel()
	w, reports := begin(t, func(echo.Context) error { panic("secret") })
	require.Equal(t, http.StatusInternalServerError, w.Code)
	var response api.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &response))
	require.Equal(t, api.ErrorCodeInternalError, response.Code)
	require.Equal(t, w.Header().Get("X-Request-Id"), response.RequestID)
	require.NotContains(t, w.Body.String(), "secret")
	require.Equal(t, 1, reports)
}

func TestAbortedHandlerPanicsThrough(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		begin(t, func(echo.Context) error { panic(http.ErrAbortHandler) })
	})
}

// TestErrorAfterStartedResponseBreaksTheConnection: the client must not take the half for
// the whole.
func TestErrorAfterStartedResponseBreaksTheConnection(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	e, reports := echo.New(), make(chan int, 1)
	e.Pre(middleware.Begin(time.Minute, &problem.Writer{Kinds: document.Errors}, func(c echo.Context, _ *middleware.Call) { reports <- c.Response().Status }))
	e.GET("/", func(c echo.Context) error {
		require.NoError(t, c.String(http.StatusOK, "half"))
		c.Response().Flush()
		return errors.New("too late")
	})
	handler, err := middleware.Compress(e)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "half", string(body))
	require.Equal(t, http.StatusOK, <-reports)
}

// TestDeadlineReturnsTimeout waits for the deadline in a handler, by a fake clock.
func TestDeadlineReturnsTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		w, reports := begin(t, func(c echo.Context) error {
			<-c.Request().Context().Done()
			return fmt.Errorf("query: %w", c.Request().Context().Err())
		})
		require.Equal(t, time.Minute, time.Since(started))
		requireProblem(t, w, api.ErrorCodeTimeout)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Equal(t, 1, reports)
	})
}

func TestGeneratedRequestIDsAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		w, _ := begin(t, func(c echo.Context) error { return c.NoContent(http.StatusOK) })
		requestID := w.Header().Get("X-Request-Id")
		require.Regexp(t, `^req_[0-9a-f]{32}$`, requestID)
		require.False(t, seen[requestID])
		seen[requestID] = true
	}
}

// TestCallDescribesRequest checks what handlers and later middleware read.
func TestCallDescribesRequest(t *testing.T) {
	t.Parallel()
	require.Nil(t, middleware.CallFrom(t.Context()))
	c := newChain(t)
	c.principal.Scopes = []api.Scope{api.ScopeLeadsWrite}
	c.handler = func(ctx echo.Context) error {
		call := middleware.CallFrom(ctx.Request().Context())
		require.Equal(t, "createLead", call.Operation.ID)
		require.Equal(t, "application/json; charset=utf-8", call.ContentType)
		require.EqualValues(t, 24, call.ContentLength)
		require.Equal(t, c.principal.WorkspaceID, middleware.WorkspaceID(ctx.Request().Context()))
		has := middleware.Has(ctx.Request().Context())
		require.True(t, has(api.ScopeLeadsWrite))
		require.False(t, has(api.ScopeLeadsRead))
		return ctx.NoContent(http.StatusCreated)
	}
	r := httptest.NewRequest(http.MethodPost, spec.BasePath+"/leads", strings.NewReader(`{"fields":{"name":"Al"}}`))
	r.Header.Set("Authorization", bearer)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	require.Equal(t, http.StatusCreated, c.send(r).Code)
}

// TestAllErrorsOfRequestAreListed sends errors in the query, a header and the body.
func TestAllErrorsOfRequestAreListed(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	r := httptest.NewRequest(http.MethodPost, spec.BasePath+"/leads?a=1&b=2", strings.NewReader(`{"fields":{"email":"x"},"score":1}`))
	r.Header.Set("Authorization", bearer)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "not valid")
	got := requireProblem(t, c.send(r), api.ErrorCodeValidationFailed)
	require.Equal(t, "The request has 5 validation errors. See `errors`.", got.Detail)
	var locations []string
	for _, field := range *got.Errors {
		locations = append(locations, field.Location)
	}
	require.ElementsMatch(t, []string{"query.a", "query.b", "header.Idempotency-Key", "body.fields.email", "body.score"}, locations)
}
