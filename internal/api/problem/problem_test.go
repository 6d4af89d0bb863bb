package problem_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
)

func TestClassifyReturnsCode(t *testing.T) {
	t.Parallel()
	for code, errs := range map[api.ErrorCode][]error{
		api.ErrorCodeNotFound:             {problem.NotFound(), fmt.Errorf("get lead: %w", problem.NotFound()), echo.ErrNotFound},
		api.ErrorCodeMethodNotAllowed:     {echo.ErrMethodNotAllowed},
		api.ErrorCodeMalformedRequest:     {echo.ErrBadRequest},
		api.ErrorCodeUnsupportedMediaType: {echo.ErrUnsupportedMediaType},
		api.ErrorCodeTimeout:              {context.DeadlineExceeded, fmt.Errorf("query: %w", context.DeadlineExceeded), context.Canceled},
		api.ErrorCodeInternalError:        {errors.New("pq: secret"), echo.ErrTeapot},
	} {
		for _, err := range errs {
			require.Equal(t, code, problem.Classify(err).Code, "%v", err)
		}
	}
	require.ErrorContains(t, problem.Classify(errors.New("secret")), "secret", "the cause is logged")
}

func TestInternalErrorResponseHasFixedText(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	writer := &problem.Writer{Kinds: document.Errors, Docs: "https://x/docs/errors/"}
	w := httptest.NewRecorder()
	_, err = writer.Write(w, "req_1", problem.Classify(errors.New("secret")))
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, problem.MediaType, w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"type":"https://x/docs/errors/internal_error","title":"Internal error","status":500,"code":"internal_error","requestId":"req_1",
		"instance":"urn:convo:request:req_1","detail":"Something went wrong on our side. Quote the request id when you report it."}`, w.Body.String())
}

func TestRetryAfterIsRoundedUpToSeconds(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	for wait, want := range map[time.Duration]string{time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", 0: ""} {
		w := httptest.NewRecorder()
		e := problem.New(api.ErrorCodeRateLimited, "x")
		e.RetryAfter = wait
		_, err := (&problem.Writer{Kinds: document.Errors}).Write(w, "r", e)
		require.NoError(t, err)
		require.Equal(t, want, w.Header().Get("Retry-After"))
	}
}
