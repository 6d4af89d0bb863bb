package token

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/batch"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Uses records when each token was last used, in batches.
type Uses struct {
	latest *batch.Buffer[use, tokenKey]
}

type tokenKey struct{ workspace, id uuid.UUID }

type use struct {
	tokenKey

	at time.Time
}

// NewUses returns a recorder of uses that writes once Run runs.
func NewUses(on *postgres.DB) *Uses {
	return &Uses{latest: batch.New(batch.Options[use, tokenKey]{
		Name: "last uses of tokens", Interval: 5 * time.Second, Capacity: 50_000, MaxBatch: 1000,
		Key:   func(u use) tokenKey { return u.tokenKey },
		Write: func(ctx context.Context, uses []use) error { return writeUses(ctx, on, uses) },
	})}
}

// Note records a use and returns immediately.
func (u *Uses) Note(p *Principal, at time.Time) {
	u.latest.Add(use{tokenKey{p.WorkspaceID, p.TokenID}, at})
}

// Run writes uses until ctx ends, then writes the rest.
func (u *Uses) Run(ctx context.Context, log *slog.Logger) { u.latest.Run(ctx, log) }

// Flush writes the uses noted so far. On an error they are kept for the next flush.
func (u *Uses) Flush(ctx context.Context) error { return u.latest.Flush(ctx) }

func writeUses(ctx context.Context, on *postgres.DB, uses []use) error {
	var params db.SystemTokenRecordUseParams
	for _, one := range uses {
		params.WorkspaceIDs = append(params.WorkspaceIDs, one.workspace)
		params.IDs = append(params.IDs, one.id)
		params.UsedAt = append(params.UsedAt, one.at)
	}
	if err := db.New().SystemTokenRecordUse(ctx, on, params); err != nil {
		return fmt.Errorf("record token use: %w", err)
	}
	return nil
}
