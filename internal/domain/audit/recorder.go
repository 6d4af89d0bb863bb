package audit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	flushEvery = 100 * time.Millisecond
	// most bounds what is held while the database is away: some 30 MB.
	most = 50_000
	// batch is how many entries one statement writes.
	batch = 128
)

// Recorder writes entries in batches, for what is done too often to wait for each
// (ADR 11).
type Recorder struct {
	db  *postgres.DB
	ids *id.Generator

	mu      sync.Mutex
	noted   []noted
	dropped int
}

type noted struct {
	Entry

	id uuid.UUID
	at time.Time
}

// NewRecorder returns a recorder that holds nothing. Run must run for it to write. What
// is encoded for a batch stays in the connection's buffer: on should have a single one.
func NewRecorder(on *postgres.DB, ids *id.Generator) *Recorder { return &Recorder{db: on, ids: ids} }

// Note remembers an entry and returns at once.
func (r *Recorder) Note(e Entry) {
	entryID, now := r.ids.New()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.noted) >= most {
		r.dropped++
		return
	}
	r.noted = append(r.noted, noted{e, entryID, now})
}

// Run writes what was noted a few times a second, and once more when ctx ends.
func (r *Recorder) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-ticker.C:
		}
		if err := r.Flush(context.WithoutCancel(ctx)); err != nil {
			log.WarnContext(ctx, "audit entries not written yet", "error", err)
		}
		r.mu.Lock()
		dropped := r.dropped
		r.dropped = 0
		r.mu.Unlock()
		if dropped > 0 {
			log.ErrorContext(ctx, "audit entries lost: the database was away for too long", "count", dropped)
		}
	}
}

// Flush writes what was noted. On an error it is kept for the next time.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	all := r.noted
	r.noted = nil
	r.mu.Unlock()
	for len(all) > 0 {
		n := min(batch, len(all))
		if err := db.New().SystemAuditEntryCreateMany(ctx, r.db, columns(all[:n])); err != nil {
			r.mu.Lock()
			r.noted = append(all, r.noted...)
			r.mu.Unlock()
			return fmt.Errorf("record audit entries: %w", err)
		}
		all = all[n:]
	}
	return nil
}

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
