package token

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// flushEvery is how often the uses noted meanwhile are written.
const flushEvery = 5 * time.Second

// Uses notes when tokens are used and writes it in batches.
type Uses struct {
	db      *postgres.DB
	queries *db.Queries

	mu    sync.Mutex
	noted map[tokenKey]time.Time
}

type tokenKey struct{ workspace, id uuid.UUID }

// NewUses returns an empty note pad.
func NewUses(on *postgres.DB) *Uses {
	return &Uses{db: on, queries: db.New(), noted: map[tokenKey]time.Time{}}
}

// Note remembers a use.
func (u *Uses) Note(p *Principal, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noted[tokenKey{p.WorkspaceID, p.TokenID}] = at
}

// Run writes what was noted every few seconds, and once more when ctx ends.
func (u *Uses) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-ticker.C:
		}
		if err := u.Flush(context.WithoutCancel(ctx)); err != nil {
			log.WarnContext(ctx, "last use of tokens not written", "error", err)
		}
	}
}

// Flush writes what was noted. On an error it is kept for the next time.
func (u *Uses) Flush(ctx context.Context) error {
	u.mu.Lock()
	noted := u.noted
	u.noted = make(map[tokenKey]time.Time, len(noted))
	u.mu.Unlock()
	if len(noted) == 0 {
		return nil
	}
	var batch db.SystemTokenRecordUseParams
	for key, at := range noted {
		batch.WorkspaceIDs = append(batch.WorkspaceIDs, key.workspace)
		batch.IDs = append(batch.IDs, key.id)
		batch.UsedAt = append(batch.UsedAt, at)
	}
	if err := u.queries.SystemTokenRecordUse(ctx, u.db, batch); err != nil {
		u.restore(noted)
		return fmt.Errorf("record token use: %w", err)
	}
	return nil
}

func (u *Uses) restore(noted map[tokenKey]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, at := range noted {
		if later, ok := u.noted[key]; !ok || later.Before(at) {
			u.noted[key] = at
		}
	}
}
