package middleware_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
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

func TestErrorAfterStartedResponseIsNotWritten(t *testing.T) {
	t.Parallel()
	w, reports := begin(t, func(c echo.Context) error {
		require.NoError(t, c.String(http.StatusOK, "half"))
		return errors.New("too late")
	})
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "half", w.Body.String())
	require.Equal(t, 1, reports)
}
