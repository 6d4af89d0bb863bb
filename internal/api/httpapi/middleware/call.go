// Package middleware processes requests before they reach their handler. Each middleware
// is configured by what the OpenAPI document says about the operation that Echo matched.
package middleware

import (
	"context"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/widget"
)

// Call is the state of a request. Begin stores it in the request's context, and later
// middleware adds to it.
type Call struct {
	RequestID string
	Started   time.Time
	URL       *url.URL
	// ContentType and ContentLength are the request headers. ContentLength is -1 if unknown.
	ContentType   string
	ContentLength int64
	// Operation is nil if the path or method is not part of the API.
	Operation *spec.Operation
	// Principal is nil if the request has no live token.
	Principal *token.Principal
	// Session and Channel are those of a visitor of the chat widget; Session is nil
	// elsewhere.
	Session *widget.Session
	Channel widget.Channel

	echo  echo.Context
	body  []byte // the raw JSON body, for the fingerprint
	keyed *keyed // nil unless the request has reserved an Idempotency-Key
	cause error  // logged, not part of the response
}

type callKey struct{}

// CallFrom returns the Call of a request's context, or nil if there is none.
func CallFrom(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

// WorkspaceID returns the workspace of the caller's token. It panics for requests without
// a token, so only handlers of operations that require one may call it.
func WorkspaceID(ctx context.Context) uuid.UUID { return CallFrom(ctx).Principal.WorkspaceID }

// Has returns a function that reports whether the caller's token has a scope. It panics
// for requests without a token.
func Has(ctx context.Context) func(api.Scope) bool { return CallFrom(ctx).Principal.Has }

// RealIP returns the IP address of the client.
func (c *Call) RealIP() string { return c.echo.RealIP() }

// Origin returns the origin at which the client reached the server.
func (c *Call) Origin() string { return web.Origin(c.echo.Request()) }
