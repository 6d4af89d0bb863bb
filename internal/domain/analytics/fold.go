package analytics

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	foldEvery   = time.Second
	foldRows    = 10_000
	foldTimeout = 10 * time.Second
)

// Folder moves the counts that writes have left into the daily counts. Figures include them
// either way; folded, they are faster to read. Any number of processes can run one: they
// take turns.
type Folder struct {
	DB  *postgres.DB
	Log *slog.Logger
}

// Run folds every second until ctx ends.
func (f *Folder) Run(ctx context.Context) {
	ticker := time.NewTicker(foldEvery)
	defer ticker.Stop()
	for {
		if err := f.Fold(ctx); err != nil && ctx.Err() == nil {
			f.Log.WarnContext(ctx, "analytics not folded; retrying", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
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
