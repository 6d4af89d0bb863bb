package middleware

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

const (
	maxURIBytes    = 8 << 10
	maxHeaderBytes = 32 << 10
)

// Authenticator turns a token into a principal. It fails with token.ErrNotLive, or with a
// *ratelimit.ExceededError, without a lookup, if the caller has tried too many tokens.
type Authenticator interface {
	Authenticate(ctx context.Context, hash token.Hash, caller string) (*token.Principal, error)
}

// Gate authenticates, authorizes and rate-limits requests.
type Gate struct {
	Document      *spec.Document
	Authenticator Authenticator
	// Visitors authenticates the operations of the chat widget.
	Visitors Visitors
	Limiter  ratelimit.Limiter
	Clock    clock.Clock
}

// Admit finds the operation of a request and rejects, in this order, requests that are
// too large, over the rate limit, without a live token where the operation needs one, and
// without the operation's scope. Every response from here on has rate limit headers.
func (g *Gate) Admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		call := CallFrom(r.Context())
		call.Operation = g.Document.Find(r.Method, c.Path())
		allowed := g.shadowed(r, call)
		tooLarge := errors.Join(limitHead(r), limitBody(c, call.Operation))
		authErr := g.authenticate(c, call)
		limited, err := g.limit(c, call, authErr)
		switch {
		case tooLarge != nil:
			return tooLarge
		case err != nil:
			return err
		case limited != nil:
			return limited
		case allowed != "":
			c.Response().Header().Set("Allow", allowed)
			return problem.New(api.ErrorCodeMethodNotAllowed, "The path does not support this method. See the Allow header.")
		case call.Operation == nil || call.Operation.Public:
			return next(c)
		case authErr != nil:
			return authErr
		}
		if err := g.authorize(r.Context(), call); err != nil {
			return err
		}
		return next(c)
	}
}

// authorize requires the scope of the operation, and the scope that the workspace's
// settings add to it. Visitors of the chat widget have no scopes.
func (g *Gate) authorize(ctx context.Context, call *Call) error {
	if call.Operation.Widget {
		return g.admitVisitor(ctx, call)
	}
	required := []api.Scope{call.Operation.Scope}
	if call.Principal.KnowledgeScopes {
		required = append(required, call.Operation.ScopeIfRequired)
	}
	for _, scope := range required {
		if scope != "" && !call.Principal.Has(scope) {
			return problem.MissingScope(scope)
		}
	}
	return nil
}

// shadowed returns the allowed methods of a literal path, such as /conversations/bulk,
// that does not support the request's method and that Echo therefore matched to a path
// with a parameter. It clears the call's operation in that case.
func (g *Gate) shadowed(r *http.Request, call *Call) (allowed string) {
	if call.Operation == nil || call.Operation.Shadowed == nil {
		return ""
	}
	if allowed = call.Operation.Shadowed[r.URL.Path]; allowed != "" {
		call.Operation = nil
	}
	return allowed
}

// limitHead rejects request targets and headers that are too long.
func limitHead(r *http.Request) error {
	if len(r.RequestURI) > maxURIBytes {
		return problem.New(api.ErrorCodeURITooLong, "The request target must not exceed %d bytes.", maxURIBytes)
	}
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > maxHeaderBytes {
		return problem.New(api.ErrorCodeHeadersTooLarge, "The headers must not exceed %d bytes.", maxHeaderBytes)
	}
	return nil
}

func limitBody(c echo.Context, operation *spec.Operation) error {
	r := c.Request()
	if operation == nil || operation.Body == nil {
		return nil
	}
	if r.ContentLength > operation.MaxBody {
		return validation.TooLarge(operation.MaxBody)
	}
	r.Body = http.MaxBytesReader(c.Response(), r.Body, operation.MaxBody)
	return nil
}

// authenticate sets the call's principal, or the session of a visitor of the chat widget. It
// returns token.ErrNotLive or widget.ErrSession if the request has no live token.
func (g *Gate) authenticate(c echo.Context, call *Call) error {
	r := c.Request()
	if call.Operation != nil && call.Operation.Widget {
		return g.authenticateVisitor(r, call)
	}
	plaintext, ok := bearer(r)
	if !ok {
		return token.ErrNotLive
	}
	hash, ok := token.Parse(plaintext)
	if !ok {
		return token.ErrNotLive
	}
	var err error
	call.Principal, err = g.Authenticator.Authenticate(r.Context(), hash, ratelimit.Network(c.RealIP()))
	return err
}

// bearer returns the token of a request.
func bearer(r *http.Request) (plaintext string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, plaintext, _ := strings.Cut(values[0], " ")
	return plaintext, strings.EqualFold(scheme, "Bearer")
}

// limit counts the request and returns limited if there have been too many. It returns
// authErr as err if that says that the token could not be looked up, such as because
// the database is unavailable, which is not the caller's fault.
func (g *Gate) limit(c echo.Context, call *Call, authErr error) (limited *problem.Error, err error) {
	if exceeded, ok := errors.AsType[*ratelimit.ExceededError](authErr); ok {
		return g.outcome(c, g.Document.RateLimits["anonymous"], exceeded.Result), nil
	}
	class, key := g.bucket(c, call)
	taken, err := g.Limiter.Take(c.Request().Context(), key, class.Limit)
	if err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	limited = g.outcome(c, class, taken)
	if authErr != nil && !errors.Is(authErr, token.ErrNotLive) && !errors.Is(authErr, widget.ErrSession) {
		return nil, authErr
	}
	return limited, nil
}

// outcome sets the headers of the rate limit, and returns an error if it is exceeded.
func (g *Gate) outcome(c echo.Context, class spec.RateClass, taken ratelimit.Result) *problem.Error {
	reset := max(0, int(math.Ceil(taken.ResetAfter.Seconds())))
	announce(c.Response().Header(), class, taken, reset, g.Clock.Now().Add(taken.ResetAfter))
	if taken.Allowed {
		return nil
	}
	e := problem.New(api.ErrorCodeRateLimited, "The rate limit of %d requests per %d seconds is exceeded. See the Retry-After header.",
		class.Requests, int(class.Window.Seconds()))
	e.RetryAfter = max(taken.ResetAfter, time.Second)
	return e
}

// bucket returns the limit that applies and the key under which requests are counted.
func (g *Gate) bucket(c echo.Context, call *Call) (spec.RateClass, string) {
	if call.Operation != nil && call.Operation.Widget {
		return g.widgetBucket(c, call)
	}
	name, route := "default", "unmatched"
	if call.Operation != nil {
		name, route = call.Operation.RateClass, call.Operation.Route()
	}
	class := g.Document.RateLimits[name]
	if call.Principal == nil || class.PerIP {
		class = g.Document.RateLimits["anonymous"]
		return class, "ip " + ratelimit.Network(c.RealIP())
	}
	if call.Principal.RateLimit > 0 {
		class.Requests = call.Principal.RateLimit
	}
	return class, call.Principal.WorkspaceID.String() + " " + route
}

// announce sets the headers of draft-ietf-httpapi-ratelimit-headers and the older X-
// headers.
func announce(header http.Header, class spec.RateClass, taken ratelimit.Result, reset int, ends time.Time) {
	limit, remaining := strconv.Itoa(class.Requests), strconv.Itoa(taken.Remaining)
	values := [...]string{
		`"` + class.Name + `";q=` + limit + `;w=` + strconv.Itoa(int(class.Window.Seconds())),
		`"` + class.Name + `";r=` + remaining + `;t=` + strconv.Itoa(reset),
		limit, remaining, strconv.FormatInt(ends.Add(time.Second-1).Unix(), 10),
	}
	// Canonical names and one array avoid allocations: every response has these headers.
	for i, name := range [...]string{"Ratelimit-Policy", "Ratelimit", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
		header[name] = values[i : i+1 : i+1]
	}
}
