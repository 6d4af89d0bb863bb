package console

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/platform/id"
)

const auditShown = 50

// actors parses the actor filter. The empty string selects all actors.
func actors(r *http.Request) (string, error) {
	switch kind := r.URL.Query().Get("by"); kind {
	case "", audit.User, audit.Token, audit.System:
		return kind, nil
	}
	return "", problem.Malformed("Unknown actor type.")
}

func (c *console) listAudit(w http.ResponseWriter, r *http.Request, v visitor) error {
	kind, err := actors(r)
	if err != nil {
		return err
	}
	before := id.Max
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = uuid.Parse(text); err != nil {
			return problem.Malformed("Invalid page.")
		}
	}
	rows, err := c.Audit.List(r.Context(), v.Workspace.ID, kind, before, auditShown+1)
	if err != nil {
		return err
	}
	var next string
	if len(rows) > auditShown {
		rows = rows[:auditShown]
		next = rows[auditShown-1].ID.String()
	}
	return c.render(w, r, http.StatusOK, "audit", view{Title: "Audit log", Visitor: v, Page: struct {
		Rows     []db.AuditEntry
		By, Next string
	}{rows, kind, next}})
}

func (c *console) exportAudit(w http.ResponseWriter, r *http.Request, v visitor) error {
	kind, err := actors(r)
	if err != nil {
		return err
	}
	if err := c.record(r, v, "audit.exported", v.Workspace.Slug); err != nil {
		return err
	}
	out := &attachment{w: w, name: "audit-" + v.Workspace.Slug + ".csv"}
	if err := c.Audit.Export(r.Context(), v.Workspace.ID, kind, out); err != nil {
		if !out.begun {
			return err
		}
		// The response has started. Abort the connection so that the client does not take
		// a partial file for a complete one.
		c.Log.ErrorContext(r.Context(), "audit export aborted", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// attachment is a CSV file to download. Its headers are set when it begins: an error before
// that is shown as a page.
type attachment struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

// Write implements io.Writer.
func (a *attachment) Write(p []byte) (int, error) {
	if !a.begun {
		a.begun = true
		a.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		a.w.Header().Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
	}
	return a.w.Write(p) //nolint:wrapcheck // as an io.Writer
}
