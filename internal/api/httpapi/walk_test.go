package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/apitest"
)

// The tests of this file run for every operation of the document, including new ones.

// example returns a valid request with IDs that do not exist.
func example(t *testing.T, o *spec.Operation) apitest.Request {
	t.Helper()
	r := apitest.Request{Method: o.Method, Path: o.Path, Header: map[string]string{}}
	r.Path = strings.NewReplacer("{provider}", "openai", "{version}", "1").Replace(r.Path)
	for _, name := range []string{"{id}", "{deliveryId}", "{messageId}", "{evaluationId}"} {
		r.Path = strings.ReplaceAll(r.Path, name, uuid.NewString())
	}
	if o.Body == nil {
		return r
	}
	if media := o.Body.Content.Get("application/json"); media != nil {
		for _, one := range media.Examples {
			raw, err := json.Marshal(one.Value.Value)
			require.NoError(t, err)
			r.Body = raw
			break
		}
		require.NotNil(t, r.Body, "%s has no example of its body", o.ID)
		return r
	}
	r.Body, r.Header["Content-Type"] = "%PDF-1.7", "application/pdf"
	return r
}

// walk runs fn for each operation, in parallel.
func walk(t *testing.T, s *apitest.Server, fn func(t *testing.T, o *spec.Operation)) {
	t.Helper()
	require.NotEmpty(t, s.Document.Operations)
	for _, o := range s.Document.Operations {
		t.Run(o.ID, func(t *testing.T) {
			t.Parallel()
			fn(t, o)
		})
	}
}

func TestEveryOperationRequiresLiveToken(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		r := example(t, o)
		for _, header := range []string{"", "Bearer", "Bearer convo_", "Basic eDp5", "Bearer convo_" + strings.Repeat("0", 32), "Bearer convo_" + strings.Repeat("A", 32)} {
			r.Header["Authorization"] = header
			response := s.Do(t, r)
			if o.Public {
				response.Want(t, http.StatusOK)
				continue
			}
			response.Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
			require.Contains(t, response.Header.Get("WWW-Authenticate"), `Bearer realm="convo"`)
		}
	})
}

func TestEveryOperationRequiresItsScope(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		var others []api.Scope
		for _, scope := range s.Document.Scopes {
			if scope != o.Scope {
				others = append(others, scope)
			}
		}
		r := example(t, o)
		r.Token = s.Token(t, space, others...)
		response := s.Do(t, r)
		if o.Scope == "" {
			require.NotEqual(t, http.StatusForbidden, response.Status)
			return
		}
		problem := response.Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
		require.Equal(t, &o.Scope, problem.MissingScope)
		require.Contains(t, response.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
		require.Contains(t, problem.Detail, string(o.Scope))

		r.Token = s.Token(t, space, o.Scope)
		require.NotEqual(t, http.StatusForbidden, s.Do(t, r).Status, "the scope of the operation is sufficient")
	})
}

func TestEveryOperationRejectsUnknownParameters(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		r := example(t, o)
		r.Token = token
		r.Path += "?surprise=1"
		problem := s.Do(t, r).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, &[]api.FieldError{{Location: "query.surprise", Message: "is not a parameter of this operation"}}, problem.Errors)
	})
}

func TestEveryBodyHasSizeLimitAndMediaType(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		if o.Body == nil {
			return
		}
		r := example(t, o)
		r.Token = token
		r.Header["Content-Type"] = "text/csv"
		s.Do(t, r).Problem(t, http.StatusUnsupportedMediaType, api.ErrorCodeUnsupportedMediaType)

		// By its Content-Length, before authentication.
		r = example(t, o)
		r.Body = bytes.Repeat([]byte(" "), int(o.MaxBody)+1)
		s.Do(t, r).Problem(t, http.StatusRequestEntityTooLarge, api.ErrorCodePayloadTooLarge)

		if o.Body.Content.Get("application/json") == nil {
			return
		}
		// By its actual size, if there is no Content-Length.
		r.Token = token
		r.Body = io.MultiReader(bytes.NewReader(bytes.Repeat([]byte(" "), int(o.MaxBody)+1)))
		s.Do(t, r).Problem(t, http.StatusRequestEntityTooLarge, api.ErrorCodePayloadTooLarge)
	})
}

func TestEveryOperationRejectsInvalidIDs(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		if !strings.Contains(o.Path, "{id}") {
			return
		}
		r := example(t, o)
		r.Token = token
		r.Path = strings.NewReplacer("{id}", "42", "{deliveryId}", uuid.NewString(), "{messageId}", uuid.NewString(), "{evaluationId}", uuid.NewString()).Replace(o.Path)
		problem := s.Do(t, r).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, "path.id", (*problem.Errors)[0].Location)
	})
}

func TestEveryOperationHasItsOwnRateLimit(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{RateLimits: true})
	space := s.Workspace(t, "acme")
	s.Exec(t, "UPDATE workspaces SET rate_limit_per_minute = 1")
	token := s.Token(t, space)
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		r := example(t, o)
		r.Token = token
		if o.Public {
			// Counted by IP address, together with the other operations.
			for s.Do(t, r).Status == http.StatusOK {
				continue
			}
		} else {
			require.NotEqual(t, http.StatusTooManyRequests, s.Do(t, r).Status, "operations have separate limits")
		}
		response := s.Do(t, r)
		response.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
		require.Equal(t, "60", response.Header.Get("Retry-After"))
		require.Equal(t, "0", response.Header.Get("X-RateLimit-Remaining"))
	})
}

func TestEveryPostSupportsIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	token := s.Token(t, space)
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		if !o.Idempotent {
			return
		}
		r := example(t, o)
		r.Token = token
		r.Header["Idempotency-Key"] = o.ID
		// Another request has reserved the key.
		now := s.Clock.Now()
		s.Exec(t, `INSERT INTO idempotency_keys (workspace_id, key, owner, leased_until, created_at) VALUES ($1, $2, $1, $3, $4)`, space, o.ID, now.Add(7*time.Second), now)
		response := s.Do(t, r)
		response.Problem(t, http.StatusConflict, api.ErrorCodeIdempotencyKeyInUse)
		require.Equal(t, "7", response.Header.Get("Retry-After"))
		// Another request has completed with it.
		s.Exec(t, `UPDATE idempotency_keys SET fingerprint = 'another', status = 201, header = '{}', body = '' WHERE workspace_id = $1 AND key = $2`, space, o.ID)
		s.Do(t, r).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
	})
}

func TestEveryExampleReturnsNoServerError(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		r := example(t, o)
		r.Token = token
		require.Less(t, s.Do(t, r).Status, http.StatusInternalServerError)
	})
}

func TestInternalErrorsRevealNothing(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	s.Get(t, token, "/leads").Want(t, http.StatusOK) // caches the token
	s.Exec(t, "ALTER SCHEMA public RENAME TO gone")
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		if o.Public {
			return // does not use the database
		}
		r := example(t, o)
		r.Token = token
		if o.ID == "listAcceptedTypes" { // uses the database for authentication only
			r.Token = "convo_" + strings.Repeat("1", 32)
		}
		response := s.Do(t, r)
		problem := response.Problem(t, http.StatusInternalServerError, api.ErrorCodeInternalError)
		require.Equal(t, "Something went wrong on our side. Quote the request id when you report it.", problem.Detail)
		for _, secret := range []string{"42P01", "relation", "SELECT", "INSERT", "does not exist"} {
			require.NotContains(t, string(response.Body), secret)
		}
	})
}

func TestUnreachableDatabaseReturns503(t *testing.T) {
	t.Parallel()
	proxy := apitest.NewProxy(t, newDatabase(t))
	s := apitest.New(t, apitest.Options{DatabaseURL: proxy.URL})
	token := s.Token(t, s.Workspace(t, "acme"))
	proxy.Cut()
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		if o.Public {
			return // does not use the database
		}
		r := example(t, o)
		r.Token = token
		response := s.Do(t, r)
		response.Problem(t, http.StatusServiceUnavailable, api.ErrorCodeServiceUnavailable)
		require.Equal(t, "1", response.Header.Get("Retry-After"))
	})
}

// TestEveryOperationLimitsTargetAndHeaders sends a target and headers that are too long to
// each operation.
func TestEveryOperationLimitsTargetAndHeaders(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	token := s.Token(t, space)
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		r := example(t, o)
		r.Token = token
		long := r
		long.Path += "?x=" + strings.Repeat("1", 9000)
		s.Do(t, long).Problem(t, http.StatusRequestURITooLong, api.ErrorCodeURITooLong)
		r.Header["X-Filler"] = strings.Repeat("x", 33<<10)
		s.Do(t, r).Problem(t, http.StatusRequestHeaderFieldsTooLarge, api.ErrorCodeHeadersTooLarge)
	})
}

// TestLiteralPathIsNotMatchedAsID requests literal paths with a method that only the path
// with a parameter supports.
func TestLiteralPathIsNotMatchedAsID(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	for path, allow := range map[string]string{"/conversations/bulk": "OPTIONS, POST", "/integrations/webhook": "OPTIONS, POST"} {
		response := s.Get(t, token, path)
		response.Problem(t, http.StatusMethodNotAllowed, api.ErrorCodeMethodNotAllowed)
		require.Equal(t, allow, response.Header.Get("Allow"))
	}
}
