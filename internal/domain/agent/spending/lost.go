package spending

import (
	"context"
	"fmt"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// LostAfter is how long a call may be in progress, which is longer than calls take. After
	// it, the process that made the call is taken for dead.
	LostAfter = 5 * time.Minute
	// lost is the outcome of such a call.
	lost = "lost"
	// lostRows bounds the calls that are read at a time.
	lostRows = 100
)

// Run releases what is reserved for lost calls, every so often, until ctx ends. Any number of
// processes can run it.
func (l *Ledger) Run(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		if err := l.ReleaseLost(ctx); err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "reservations of lost model calls not released; retrying", "error", err)
		}
		wake.Sleep(ctx, every)
	}
}

// ReleaseLost ends calls whose process has died, or could not reach the database when they
// ended, and releases what is reserved for them: no one knows what they have cost.
func (l *Ledger) ReleaseLost(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := db.New().SystemModelCallListLost(ctx, l.DB, db.SystemModelCallListLostParams{
		Before: l.Clock.Now().Add(-LostAfter), MaxRows: lostRows,
	})
	if err != nil {
		return fmt.Errorf("list lost model calls: %w", err)
	}
	for _, row := range rows {
		c := call{Caller: Caller{WorkspaceID: row.WorkspaceID, Agent: db.Agent{ID: row.AgentID}}, id: row.ID, month: Month(row.CreatedAt)}
		if row.CostMicros != nil {
			c.reserved = *row.CostMicros
		}
		if err := l.record(ctx, c, db.ModelCallSettleParams{Outcome: lost}); err != nil {
			return err
		}
	}
	return nil
}
