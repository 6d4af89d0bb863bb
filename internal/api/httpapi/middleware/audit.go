package middleware

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/audit"
)

// Audited records each change made with a token in the audit log: the operation, its
// target and where the request came from. Rejected and replayed requests changed nothing
// and are not recorded.
func Audited(recorder *audit.Recorder) func(c echo.Context, call *Call) {
	return func(c echo.Context, call *Call) {
		if call.Operation == nil || call.Principal == nil || !call.Operation.Writes() {
			return
		}
		header := c.Response().Header()
		if c.Response().Status >= http.StatusBadRequest || header.Get(replayHeader) != "" {
			return
		}
		target := header.Get("Location")
		if target == "" {
			target = call.URL.Path
		}
		recorder.Note(audit.Entry{
			WorkspaceID: call.Principal.WorkspaceID, ActorType: audit.Token, ActorID: call.Principal.TokenID,
			Action: call.Operation.ID, Target: target, IP: c.RealIP(), UserAgent: c.Request().UserAgent(), RequestID: call.RequestID,
		})
	}
}
