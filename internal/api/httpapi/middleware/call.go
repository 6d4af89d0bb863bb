// Package middleware is the way of a request to its handler. Each step reads
// what the published document says of the operation that Echo has matched.
package middleware

import (
	"context"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/token"
)

// Call is what is known of a request under way. It is carried by the request's
// context from the first step on, and each step adds to it.
type Call struct {
	RequestID string
	Started   time.Time
	URL       *url.URL
	// ContentType and ContentLength are the body's, as announced; -1 where its length
	// is not.
	ContentType   string
	ContentLength int64
	// Operation is nil where the path or method is not part of the API.
	Operation *spec.Operation
	// Principal is nil where no live token was presented.
	Principal *token.Principal

	body  []byte // the raw JSON body, for the fingerprint
	keyed *keyed // nil unless the request has reserved an Idempotency-Key
	cause error  // what the answer does not tell
}

type callKey struct{}

// CallFrom returns the request under way; nil outside of one.
func CallFrom(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

// WorkspaceID returns the workspace that the caller's token belongs to. Only
// handlers of operations that need a token may ask.
func WorkspaceID(ctx context.Context) uuid.UUID { return CallFrom(ctx).Principal.WorkspaceID }

// Has tells which scopes the caller's token has. Only handlers of operations that
// need a token may ask.
func Has(ctx context.Context) func(api.Scope) bool { return CallFrom(ctx).Principal.Has }
