package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// foldEvery is the time between folds, in which counts collect.
	foldEvery   = time.Second
	foldRows    = 10_000
	foldTimeout = 10 * time.Second
)

// Folder adds the deltas that writes have stored to the daily counts. Figures include
// deltas as well, but daily counts are faster to read. Any number of processes can run a
// Folder; they take turns.
type Folder struct {
	DB  *postgres.DB
	Log *slog.Logger
	// Wake is sent when there may be counts. Without it, they are found after Poll.
	Wake wake.Signal
	Poll time.Duration
}

// Run folds when it is woken, every second at most, until ctx ends.
func (f *Folder) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.Fold(ctx); err != nil && ctx.Err() == nil {
			f.Log.WarnContext(ctx, "analytics not folded; retrying", "error", err)
		}
		wake.Sleep(ctx, foldEvery)
		f.Wake.Wait(ctx, f.Poll)
	}
}

// Fold folds in batches until less than a batch remains.
func (f *Folder) Fold(ctx context.Context) error {
	for {
		remaining, err := f.batch(ctx)
		if err != nil || remaining < foldRows {
			return err
		}
	}
}

func (f *Folder) batch(ctx context.Context) (remaining int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, foldTimeout)
	defer cancel()
	remaining, err = db.New().SystemAnalyticsFold(ctx, f.DB, db.SystemAnalyticsFoldParams{MaxRows: foldRows})
	if err != nil {
		return 0, fmt.Errorf("fold analytics: %w", err)
	}
	return remaining, nil
}
