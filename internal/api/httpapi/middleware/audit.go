package middleware

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/domain/audit"
)

// Audited notes each change that was made with a token: which operation, to what, and
// from where. What was refused or only replayed changed nothing.
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
