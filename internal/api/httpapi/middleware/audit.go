package middleware

import (
	"cmp"
	"net/http"

	"github.com/avelto/convo/internal/domain/audit"
)

// entry returns the audit entry of a request that is about to succeed: the operation, its
// target and where the request came from.
func (c *Call) entry() audit.Entry {
	return audit.Entry{
		WorkspaceID: c.Principal.WorkspaceID, ActorType: audit.Token, ActorID: c.Principal.TokenID,
		Action: c.Operation.ID, Target: c.URL.Path, IP: c.echo.RealIP(), UserAgent: c.echo.Request().UserAgent(), RequestID: c.RequestID,
	}
}

// entryOf is entry for a response. What it has created is its target.
func (c *Call) entryOf(header http.Header) audit.Entry {
	entry := c.entry()
	entry.Target = cmp.Or(header.Get("Location"), entry.Target)
	return entry
}
