package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
)

// write returns the response of an error.
func write(t *testing.T, e *problem.Error) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	writer, w := &problem.Writer{Kinds: document.Errors, Docs: "https://x/docs/errors/"}, httptest.NewRecorder()
	status, err := writer.Write(w, "req_1", e)
	require.NoError(t, err)
	require.Equal(t, w.Code, status)
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	schema := document.OpenAPI.Components.Schemas["Problem"].Value
	require.NoError(t, schema.VisitJSON(body, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()), "%s", w.Body)
	return w, body
}

func TestEveryCodeIsWritten(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	for code, kind := range document.Errors {
		w, body := write(t, problem.New(code, "Detail of %s.", code))
		require.Equal(t, kind.Status, w.Code, code)
		require.Equal(t, map[string]any{
			"type": "https://x/docs/errors/" + string(code), "title": kind.Title, "status": float64(kind.Status),
			"detail": "Detail of " + string(code) + ".", "instance": "urn:convo:request:req_1", "code": string(code), "requestId": "req_1",
		}, body)
		require.Equal(t, problem.MediaType, w.Header().Get("Content-Type"), code)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), code)
		require.Equal(t, code == api.ErrorCodeUnauthenticated, w.Header().Get("WWW-Authenticate") != "", code)
		require.Empty(t, w.Header().Get("Retry-After"), code)
	}
}

func TestChallengeNamesTheReason(t *testing.T) {
	t.Parallel()
	w, _ := write(t, problem.New(api.ErrorCodeUnauthenticated, "x"))
	require.Equal(t, `Bearer realm="convo", error="invalid_token"`, w.Header().Get("WWW-Authenticate"))
	w, body := write(t, problem.MissingScope(api.ScopeAnalyticsRead))
	require.Equal(t, `Bearer realm="convo", error="insufficient_scope", scope="analytics:read"`, w.Header().Get("WWW-Authenticate"))
	require.Equal(t, "analytics:read", body["missingScope"])
	require.Contains(t, body["detail"], "analytics:read")
}

func TestFieldErrorsAreWrittenInOrder(t *testing.T) {
	t.Parallel()
	one, two := api.FieldError{Location: "body.a", Message: "is required"}, api.FieldError{Location: `body."<b>`, Message: "must be one of \u2028"}
	_, body := write(t, problem.Invalid(two, one))
	require.Equal(t, []any{
		map[string]any{"location": `body."<b>`, "message": "must be one of \u2028"}, map[string]any{"location": "body.a", "message": "is required"},
	}, body["errors"])
	require.Equal(t, "The request has 2 validation errors. See `errors`.", body["detail"])
	_, body = write(t, problem.Invalid(one))
	require.Equal(t, "The request has 1 validation error. See `errors`.", body["detail"])
}

// TestCausesAreNotWritten wraps each mapped error, and errors of other packages, in an
// error with internal details.
func TestCausesAreNotWritten(t *testing.T) {
	t.Parallel()
	causes := []error{
		errors.New("x"), &pgconn.PgError{Code: "23505", Message: "duplicate key", ConstraintName: "leads_pkey"}, echo.ErrNotFound, echo.NewHTTPError(http.StatusTeapot, "secret"),
		&pgconn.ConnectError{Config: &pgconn.Config{Host: "secret-host", User: "secret-user"}},
	}
	for _, mapped := range domainErrors {
		causes = append(causes, mapped.err)
	}
	for _, cause := range causes {
		err := fmt.Errorf("secret: SELECT id FROM leads: %w", cause)
		classified := problem.Classify(err)
		require.ErrorContains(t, classified, "secret", "the cause is logged")
		w, _ := write(t, classified)
		for _, internal := range []string{"secret", "SELECT", "leads_pkey", "23505", "duplicate key"} {
			require.NotContains(t, w.Body.String(), internal, "%v", cause)
		}
	}
}

// TestInternalErrorsOfSQL: an unexpected database error is a fault of the server, never
// of the request.
func TestInternalErrorsOfSQL(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"23505", "23503", "42P01", "22P02", "22001"} {
		require.Equal(t, api.ErrorCodeInternalError, problem.Classify(&pgconn.PgError{Code: code}).Code, code)
	}
	for _, code := range []string{"57P01", "57P03", "53300"} {
		unavailable := problem.Classify(&pgconn.PgError{Code: code})
		require.Equal(t, api.ErrorCodeServiceUnavailable, unavailable.Code, code)
		require.Equal(t, time.Second, unavailable.RetryAfter, code)
	}
}

// TestNotFoundIsTheSameForAllReasons: responses must not reveal what exists in other
// workspaces.
func TestNotFoundIsTheSameForAllReasons(t *testing.T) {
	t.Parallel()
	absent, _ := write(t, problem.NotFound())
	mapped, _ := write(t, problem.Classify(fmt.Errorf("get lead: %w", domainErrors["postgres.ErrNotFound"].err)))
	require.Equal(t, absent.Body.String(), mapped.Body.String())
	require.Equal(t, absent.Header(), mapped.Header())
}

// brokenWriter fails to write, as after the client has disconnected.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteReturnsWriteErrors(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	status, err := (&problem.Writer{Kinds: document.Errors}).Write(brokenWriter{httptest.NewRecorder()}, "r", problem.NotFound())
	require.ErrorContains(t, err, "broken pipe")
	require.Equal(t, http.StatusNotFound, status)
}

func TestErrorTextHasCodeDetailAndCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	e := problem.New(api.ErrorCodeInternalError, "Something %d.", 1).WithCause(cause)
	require.EqualError(t, e, "internal_error: Something 1.: disk full")
	require.ErrorIs(t, e, cause)
	require.EqualError(t, problem.Malformed("No."), "malformed_request: No.")
}
