package middleware_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// TestOrderOfChecks sends a request to each operation that fails every check, and then
// fixes one problem after the other.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	for _, o := range newChain(t).document.Operations {
		t.Run(o.ID, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			admitted := c.principal
			tooLarge, authenticated, invalid := o.Body != nil, false, true
			check := func(code api.ErrorCode) {
				t.Helper()
				r := c.valid(t, o)
				if tooLarge {
					r.ContentLength = o.MaxBody + 1
				}
				if !authenticated {
					r.Header.Del("Authorization")
				}
				if invalid {
					r.URL.RawQuery += "&surprise=1"
				}
				requireProblem(t, c.send(r), code)
			}
			c.limit.Allowed, c.principal = false, &token.Principal{WorkspaceID: uuid.New()}
			if tooLarge {
				check(api.ErrorCodePayloadTooLarge)
				tooLarge = false
			}
			check(api.ErrorCodeRateLimited) // counted by IP address
			c.limit.Allowed = true
			if !o.Public {
				check(api.ErrorCodeUnauthenticated)
			}
			authenticated, c.limit.Allowed = true, false
			check(api.ErrorCodeRateLimited) // counted by workspace
			c.limit.Allowed = true
			if o.Scope != "" {
				check(api.ErrorCodeMissingScope)
			}
			c.principal = admitted
			check(api.ErrorCodeValidationFailed)
			invalid = false
			check(api.ErrorCodeNotFound) // from the handler
		})
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	digits := strings.TrimPrefix(bearer, "Bearer ")
	for _, tt := range []struct {
		values []string
		ok     bool
	}{
		{[]string{bearer}, true},
		{[]string{"bearer " + digits}, true},
		{[]string{"BEARER " + digits}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{digits}, false},
		{[]string{"Bearer"}, false},
		{[]string{"Bearer  " + digits}, false},
		{[]string{"Bearer " + digits + " "}, false},
		{[]string{"Bearer " + strings.ToUpper(digits)}, false},
		{[]string{"Bearer " + digits + "0"}, false},
		{[]string{"Bearer " + strings.TrimPrefix(digits, "convo_")}, false},
		{[]string{"Basic " + digits}, false},
		{[]string{bearer, bearer}, false},
		{[]string{bearer + ", " + bearer}, false},
	} {
		r := c.valid(t, c.operation(t, "listAgents"))
		r.Header["Authorization"] = tt.values
		w := c.send(r)
		if tt.ok {
			requireProblem(t, w, api.ErrorCodeNotFound, tt.values)
			continue
		}
		requireProblem(t, w, api.ErrorCodeUnauthenticated, tt.values)
		require.Equal(t, `Bearer realm="convo", error="invalid_token"`, w.Header().Get("WWW-Authenticate"))
	}
}

// TestOwnScopeIsSufficient sends each operation with a token that has only its scope, and
// with one that has all others.
func TestOwnScopeIsSufficient(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	for _, o := range c.document.Operations {
		if o.Scope == "" {
			continue
		}
		c.principal = &token.Principal{WorkspaceID: uuid.New(), Scopes: []api.Scope{o.Scope}}
		requireProblem(t, c.send(c.valid(t, o)), api.ErrorCodeNotFound, o.ID)
		c.principal.Scopes = nil
		for _, scope := range c.document.Scopes {
			if scope != o.Scope {
				c.principal.Scopes = append(c.principal.Scopes, scope)
			}
		}
		w := c.send(c.valid(t, o))
		require.Equal(t, &o.Scope, requireProblem(t, w, api.ErrorCodeMissingScope, o.ID).MissingScope)
		require.Equal(t, `Bearer realm="convo", error="insufficient_scope", scope="`+string(o.Scope)+`"`, w.Header().Get("WWW-Authenticate"))
	}
}

// TestFailingAuthenticatorIsInternalError checks that an unavailable database neither
// rejects the token nor blames a rate limit.
func TestFailingAuthenticatorIsInternalError(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.authErr, c.limit.Allowed = errors.New("relation api_tokens does not exist"), false
	w := c.send(c.valid(t, c.operation(t, "listAgents")))
	requireProblem(t, w, api.ErrorCodeInternalError)
	require.NotContains(t, w.Body.String(), "api_tokens")
	require.Contains(t, c.log.String(), "api_tokens")
}

func TestFailingLimiterIsInternalError(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.limitErr = errors.New("redis: secret")
	w := c.send(c.valid(t, c.operation(t, "listAgents")))
	requireProblem(t, w, api.ErrorCodeInternalError)
	require.NotContains(t, w.Body.String(), "secret")
	require.Empty(t, w.Header().Get("RateLimit"))
}

func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	ends := now.Add(13 * time.Second).Unix() // 12.3 s, rounded up to a whole second
	for name, tt := range map[string]struct {
		operation string
		own       int
		token     bool
		policy    string
		state     string
		limit     string
	}{
		"the default class":              {"listAgents", 0, true, `"default";q=600;w=60`, `"default";r=41;t=13`, "600"},
		"a workspace with its own limit": {"listAgents", 25, true, `"default";q=25;w=60`, `"default";r=41;t=13`, "25"},
		"no token":                       {"listAgents", 0, false, `"anonymous";q=60;w=60`, `"anonymous";r=41;t=13`, "60"},
		"a public operation":             {"getOpenAPIDocument", 25, true, `"anonymous";q=60;w=60`, `"anonymous";r=41;t=13`, "60"},
	} {
		for _, allowed := range []bool{true, false} {
			c := newChain(t)
			c.limit.Allowed, c.principal.RateLimit = allowed, tt.own
			r := c.valid(t, c.operation(t, tt.operation))
			if !tt.token {
				r.Header.Del("Authorization")
			}
			w := c.send(r)
			header := w.Header()
			require.Equal(t, tt.policy, header.Get("RateLimit-Policy"), name)
			require.Equal(t, tt.state, header.Get("RateLimit"), name)
			require.Equal(t, tt.limit, header.Get("X-RateLimit-Limit"), name)
			require.Equal(t, "41", header.Get("X-RateLimit-Remaining"), name)
			require.Equal(t, strconv.FormatInt(ends, 10), header.Get("X-RateLimit-Reset"), name)
			if allowed {
				require.Empty(t, header.Get("Retry-After"), name)
				continue
			}
			require.Equal(t, "13", header.Get("Retry-After"), name)
			require.Contains(t, requireProblem(t, w, api.ErrorCodeRateLimited, name).Detail, tt.limit+" requests per 60 seconds")
		}
	}
}

// TestRetryAfterIsAtLeastOneSecond: a client that retried after 0 seconds would be
// rejected again.
func TestRetryAfterIsAtLeastOneSecond(t *testing.T) {
	t.Parallel()
	for _, reset := range []time.Duration{-time.Second, 0, time.Millisecond, time.Second} {
		c := newChain(t)
		c.limit = ratelimit.Result{ResetAfter: reset}
		w := c.send(c.valid(t, c.operation(t, "listAgents")))
		require.Equal(t, "1", w.Header().Get("Retry-After"), reset)
		require.NotContains(t, w.Header().Get("RateLimit"), "t=-", reset)
	}
}

// TestRateLimitKeys checks which requests share a limit.
func TestRateLimitKeys(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	key := func(method, target, authorization, ip string) string {
		r := httptest.NewRequest(method, spec.BasePath+target, nil)
		r.Header.Set("Authorization", authorization)
		r.RemoteAddr = ip
		c.send(r)
		return c.keys[len(c.keys)-1]
	}
	const home, away = "203.0.113.7:4711", "203.0.113.8:4711"
	first, second := "/leads/"+uuid.NewString(), "/leads/"+uuid.NewString()
	require.Equal(t, key("GET", first, bearer, home), key("GET", second, bearer, away), "same route")
	require.NotEqual(t, key("GET", first, bearer, home), key("DELETE", first, bearer, home), "different methods")
	require.NotEqual(t, key("GET", "/leads", bearer, home), key("GET", "/agents", bearer, home), "different routes")
	require.Equal(t, key("GET", "/nope", bearer, home), key("GET", "/neither", bearer, home), "unknown paths")
	before := key("GET", "/leads", bearer, home)
	c.principal = &token.Principal{WorkspaceID: uuid.New(), Scopes: c.document.Scopes}
	require.NotEqual(t, before, key("GET", "/leads", bearer, home), "different workspaces")

	require.Equal(t, key("GET", "/leads", "", home), key("GET", "/agents", "Bearer x", home), "unauthenticated requests from one address")
	require.Equal(t, key("GET", "/leads", "", home), key("GET", "/openapi.json", bearer, home), "public operations")
	require.NotEqual(t, key("GET", "/leads", "", home), key("GET", "/leads", "", away))
	require.Equal(t, key("GET", "/leads", "", "[2001:db8::1]:80"), key("GET", "/leads", "", "[2001:db8::2]:80"), "same /64")
	require.NotEqual(t, key("GET", "/leads", "", "[2001:db8::1]:80"), key("GET", "/leads", "", "[2001:db8:0:1::1]:80"))
}

func TestTargetAndHeaderLimits(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	o := c.operation(t, "listAgents")
	target := func(size int) *http.Request {
		r := c.valid(t, o)
		r.RequestURI = strings.Repeat("x", size)
		return r
	}
	requireProblem(t, c.send(target(8<<10)), api.ErrorCodeNotFound)
	requireProblem(t, c.send(target(8<<10+1)), api.ErrorCodeURITooLong)
	headers := func(size int) *http.Request {
		r := c.valid(t, o)
		for name, values := range r.Header {
			size -= len(name) + len(values[0])
		}
		half := size / 2 // spread over two values of one header
		r.Header["X-Filler"] = []string{strings.Repeat("x", half-len("X-Filler")), strings.Repeat("x", size-half-len("X-Filler"))}
		return r
	}
	requireProblem(t, c.send(headers(32<<10)), api.ErrorCodeNotFound)
	requireProblem(t, c.send(headers(32<<10+1)), api.ErrorCodeHeadersTooLarge)
}

// TestBodyLimit checks both sides of the limit, with and without a Content-Length.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	for _, id := range []string{"createLead", "updateAgent", "uploadKnowledge"} {
		o := c.operation(t, id)
		c.handler = func(ctx echo.Context) error {
			_, err := io.Copy(io.Discard, ctx.Request().Body)
			if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
				require.Equal(t, o.MaxBody, tooLarge.Limit)
				return echo.NewHTTPError(http.StatusRequestEntityTooLarge)
			}
			return errors.Join(err, ctx.NoContent(http.StatusNoContent))
		}
		send := func(size int64, known bool) *httptest.ResponseRecorder {
			r := c.valid(t, o)
			prefix, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			r.Body = io.NopCloser(strings.NewReader(string(prefix) + strings.Repeat(" ", int(size)-len(prefix))))
			if r.ContentLength = -1; known {
				r.ContentLength = size
			}
			return c.send(r)
		}
		for _, known := range []bool{true, false} {
			require.Equal(t, http.StatusNoContent, send(o.MaxBody, known).Code, id)
			if w := send(o.MaxBody+1, known); known || o.Body.Content["application/json"] != nil {
				requireProblem(t, w, api.ErrorCodePayloadTooLarge, id)
			} else {
				require.NotEqual(t, http.StatusNoContent, w.Code, "the handler reads no more than the limit")
			}
		}
	}
}

func TestUnknownPathsNeedNoToken(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	for _, authorization := range []string{"", bearer} {
		r := httptest.NewRequest(http.MethodGet, spec.BasePath+"/nope", nil)
		r.Header.Set("Authorization", authorization)
		w := c.send(r)
		requireProblem(t, w, api.ErrorCodeNotFound)
		require.NotEmpty(t, w.Header().Get("RateLimit"), "unknown paths are rate-limited too")
	}
}

func TestLiteralPathOfAnotherMethodIsNotAllowed(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.handler = func(echo.Context) error { require.Fail(t, "reached the handler of another path"); return nil }
	r := httptest.NewRequest(http.MethodGet, spec.BasePath+"/conversations/bulk", nil)
	r.Header.Set("Authorization", bearer)
	w := c.send(r)
	requireProblem(t, w, api.ErrorCodeMethodNotAllowed)
	require.Equal(t, "OPTIONS, POST", w.Header().Get("Allow"))
}
