package audit

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/batch"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Recorder writes entries in batches, for changes that must not wait for a second
// insert (ADR 11).
type Recorder struct {
	ids     *id.Generator
	entries *batch.Buffer[noted, uuid.UUID]
}

type noted struct {
	Entry

	id uuid.UUID
	at time.Time
}

// NewRecorder returns a recorder that writes once Run runs. A connection keeps the
// memory of its largest batch: on should have a single one.
func NewRecorder(on *postgres.DB, ids *id.Generator) *Recorder {
	return &Recorder{ids: ids, entries: batch.New(batch.Options[noted, uuid.UUID]{
		Name: "audit entries", Interval: 100 * time.Millisecond, MaxBatch: 128,
		Capacity: 50_000, // some 30 MB
		Write: func(ctx context.Context, entries []noted) error {
			if err := db.New().SystemAuditEntryCreateMany(ctx, on, columns(entries)); err != nil {
				return fmt.Errorf("record audit entries: %w", err)
			}
			return nil
		},
	})}
}

// Note adds an entry and returns immediately.
func (r *Recorder) Note(e Entry) {
	entryID, now := r.ids.New()
	r.entries.Add(noted{e, entryID, now})
}

// Run writes entries until ctx ends, then writes the rest.
func (r *Recorder) Run(ctx context.Context, log *slog.Logger) { r.entries.Run(ctx, log) }

// Flush writes the entries noted so far. On an error they are kept for the next flush.
func (r *Recorder) Flush(ctx context.Context) error { return r.entries.Flush(ctx) }

func columns(entries []noted) db.SystemAuditEntryCreateManyParams {
	n := len(entries)
	p := db.SystemAuditEntryCreateManyParams{
		WorkspaceIDs: make([]uuid.UUID, n), IDs: make([]uuid.UUID, n), ActorTypes: make([]string, n), ActorIDs: make([]uuid.UUID, n),
		ActorNames: make([]string, n), Actions: make([]string, n), Targets: make([]string, n), IPs: make([]string, n),
		UserAgents: make([]string, n), RequestIDs: make([]string, n), CreatedAts: make([]time.Time, n),
	}
	for i, e := range entries {
		p.WorkspaceIDs[i], p.IDs[i], p.ActorTypes[i], p.ActorIDs[i] = e.WorkspaceID, e.id, e.ActorType, e.ActorID
		p.ActorNames[i], p.Actions[i], p.Targets[i], p.IPs[i] = e.ActorName, e.Action, clean(e.Target, maxTarget), e.IP
		p.UserAgents[i], p.RequestIDs[i], p.CreatedAts[i] = clean(e.UserAgent, maxUserAgent), e.RequestID, e.at
	}
	return p
}
