// Package audit records who did what in a workspace, and from where.
package audit

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/share"
)

// Kept is how long entries are kept.
const Kept = 365 * 24 * time.Hour

// Kinds of actors.
const (
	User   = "USER"
	Token  = "TOKEN"
	System = "SYSTEM"
)

const (
	maxUserAgent = 200
	maxTarget    = 500
	exportPage   = 500
)

// Entry is an action that was carried out.
type Entry struct {
	WorkspaceID uuid.UUID
	ActorType   string
	ActorID     uuid.UUID // the nil UUID for the command line
	ActorName   string    // empty for a token, whose name is looked up
	Action      string
	Target      string
	IP          string
	UserAgent   string
	RequestID   string
}

// Log writes and reads entries. Exports read from Reports, a pool of their own, so that they
// do not delay other requests; nil for DB.
type Log struct {
	DB, Reports *postgres.DB
	// Shares divides Reports between workspaces; nil for no bound.
	Shares *share.Shares
	IDs    *id.Generator
}

// Do makes a change and records it, in one transaction. change runs its statements on the
// connection that it is given and reports whether it changed anything; if not, nothing is
// recorded.
func (l *Log) Do(ctx context.Context, e Entry, change func(ctx context.Context, on postgres.Conn) (bool, error)) error {
	return postgres.WithTx(ctx, l.DB, func(ctx context.Context, tx postgres.Tx) error {
		changed, err := change(ctx, tx)
		if err != nil || !changed {
			return err
		}
		return l.Record(ctx, tx, e)
	})
}

// Record writes an entry: with its change, if on is that change's transaction.
func (l *Log) Record(ctx context.Context, on postgres.Conn, e Entry) error {
	entryID, now := l.IDs.New()
	e = e.Clean()
	params := db.AuditEntryCreateParams{
		WorkspaceID: e.WorkspaceID, ID: entryID, ActorType: e.ActorType, ActorName: e.ActorName, Action: e.Action,
		Target: e.Target, IP: e.IP, UserAgent: e.UserAgent, RequestID: e.RequestID, CreatedAt: now,
	}
	if e.ActorID != uuid.Nil {
		params.ActorID = &e.ActorID
	}
	if err := db.New().AuditEntryCreate(ctx, on, params); err != nil {
		return fmt.Errorf("record audit entry: %w", err)
	}
	return nil
}

// RecordUser writes an entry of a user in each of their workspaces. Its WorkspaceID is not
// used. For an unknown user it does the same and writes nothing.
func (l *Log) RecordUser(ctx context.Context, on postgres.Conn, e Entry) error {
	_, now := l.IDs.New()
	e = e.Clean()
	err := db.New().SystemAuditEntryCreateByUser(ctx, on, db.SystemAuditEntryCreateByUserParams{
		UserID: e.ActorID, ActorName: e.ActorName, Action: e.Action, Target: e.Target, IP: e.IP, UserAgent: e.UserAgent, RequestID: e.RequestID, CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("record audit entries of a user: %w", err)
	}
	return nil
}

// Clean returns the entry with what a client controls in a form that is stored: cut to a
// length, without NUL and broken characters.
func (e Entry) Clean() Entry {
	e.Target, e.UserAgent = clean(e.Target, maxTarget), clean(e.UserAgent, maxUserAgent)
	return e
}

// clean returns a text that PostgreSQL accepts, of at most this many bytes.
func clean(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

// List returns up to limit entries before an ID, newest first. An empty actorType means all
// actors.
func (l *Log) List(ctx context.Context, workspaceID uuid.UUID, actorType string, before uuid.UUID, limit int32) ([]db.AuditEntry, error) {
	return list(ctx, l.DB, workspaceID, actorType, before, limit)
}

func list(ctx context.Context, on *postgres.DB, workspaceID uuid.UUID, actorType string, before uuid.UUID, limit int32) ([]db.AuditEntry, error) {
	rows, err := db.New().AuditEntryList(ctx, on, db.AuditEntryListParams{
		WorkspaceID: workspaceID, BeforeID: before, ActorType: actorType, RowLimit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	return rows, nil
}

// Export writes all entries as CSV (RFC 4180), newest first. It writes nothing before the
// first entries are read, and fails with share.ErrBusy if the workspace has too many
// requests in progress. A slow reader of the export does not hold the workspace's share.
func (l *Log) Export(ctx context.Context, workspaceID uuid.UUID, actorType string, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"time", "actor_type", "actor_id", "actor", "action", "target", "ip", "user_agent", "request_id"})
	for before := id.Max; ; {
		rows, err := l.exportRows(ctx, workspaceID, actorType, before)
		if err != nil {
			return err
		}
		for _, row := range rows {
			var actor string
			if row.ActorID != nil {
				actor = row.ActorID.String()
			}
			_ = out.Write([]string{
				row.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"), row.ActorType, actor, inert(row.ActorName),
				row.Action, inert(row.Target), row.IP, inert(row.UserAgent), inert(row.RequestID),
			})
		}
		if out.Flush(); out.Error() != nil {
			return fmt.Errorf("write CSV: %w", out.Error())
		}
		if len(rows) < exportPage {
			return nil
		}
		before = rows[len(rows)-1].ID
	}
}

// exportRows reads the next page of an export.
func (l *Log) exportRows(ctx context.Context, workspaceID uuid.UUID, actorType string, before uuid.UUID) ([]db.AuditEntry, error) {
	if l.Shares != nil {
		leave, err := l.Shares.Enter(ctx, workspaceID)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return list(ctx, cmp.Or(l.Reports, l.DB), workspaceID, actorType, before, exportPage)
}

// inert prevents spreadsheets from running a cell as a formula (OWASP, CSV injection).
func inert(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if cell != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", first) { // some spreadsheets read fullwidth signs too
		return "'" + cell
	}
	return cell
}
