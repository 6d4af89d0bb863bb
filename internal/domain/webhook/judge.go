package webhook

import (
	"context"
	"fmt"
	"net/http"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// verdict is what a batch says of one endpoint.
type verdict struct {
	succeeded bool // the latest attempt did
	failed    int32
	gone      bool
	last      Attempt
}

// judge brings the state of endpoints up to date: failing, held back from, switched
// off or well again. Most batches change nothing of it.
func (d *Dispatcher) judge(ctx context.Context, batch []result) error {
	verdicts := map[laneID]*verdict{}
	for _, one := range batch {
		id := laneID{one.row.WorkspaceID, one.row.IntegrationID}
		v := verdicts[id]
		if v == nil {
			v = &verdict{}
			verdicts[id] = v
		}
		if v.succeeded = one.attempt.OK(); v.succeeded {
			v.failed = 0
			continue
		}
		v.failed++
		v.last = one.attempt
		v.gone = v.gone || one.attempt.Status == http.StatusGone
	}
	for id, v := range verdicts {
		if err := d.apply(ctx, id, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dispatcher) apply(ctx context.Context, id laneID, v *verdict) error {
	if v.gone {
		return d.disable(ctx, id, "The endpoint answered 410 Gone.")
	}
	if v.failed == 0 {
		return d.recover(ctx, id)
	}
	if v.succeeded {
		if err := d.recover(ctx, id); err != nil {
			return err
		}
	}
	return d.fail(ctx, id, v)
}

// recover ends a row of failures, if there was one.
func (d *Dispatcher) recover(ctx context.Context, id laneID) error {
	if d.failures(id, 0) == 0 {
		return nil
	}
	err := db.New().SystemIntegrationRecordSuccess(ctx, d.DB, db.SystemIntegrationRecordSuccessParams{WorkspaceID: id.workspace, ID: id.integration})
	if err != nil {
		return fmt.Errorf("endpoint is well: %w", err)
	}
	return nil
}

func (d *Dispatcher) fail(ctx context.Context, id laneID, v *verdict) error {
	now := d.Clock.Now()
	row, err := db.New().SystemIntegrationRecordFailures(ctx, d.DB, db.SystemIntegrationRecordFailuresParams{
		WorkspaceID: id.workspace, ID: id.integration, Message: text(v.last), At: now, Count: v.failed, BreakAt: breakAt,
	})
	if postgres.IsNotFound(err) {
		return nil // deleted or switched off meanwhile
	} else if err != nil {
		return fmt.Errorf("endpoint fails: %w", err)
	}
	d.failures(id, row.Failures)
	if now.Sub(row.FailingSince) >= GiveUpAfter {
		return d.disable(ctx, id, "Every attempt failed for five days. The latest: "+text(v.last))
	}
	hold := pause(d.Schedule, int(row.Failures))
	if hold == 0 || row.Held {
		return nil
	}
	until := now.Add(hold)
	err = db.New().SystemIntegrationPause(ctx, d.DB, db.SystemIntegrationPauseParams{WorkspaceID: id.workspace, ID: id.integration, Until: until})
	if err != nil {
		return fmt.Errorf("hold back: %w", err)
	}
	return nil
}

func (d *Dispatcher) disable(ctx context.Context, id laneID, why string) error {
	now := d.Clock.Now()
	err := db.New().SystemIntegrationDisable(ctx, d.DB, db.SystemIntegrationDisableParams{WorkspaceID: id.workspace, ID: id.integration, Message: why, At: now})
	if err != nil {
		return fmt.Errorf("switch off: %w", err)
	}
	d.Log.InfoContext(ctx, "webhook disabled", "workspaceId", id.workspace, "integrationId", id.integration, "reason", why)
	return nil
}

// failures exchanges what the lane knows of its row of failures.
func (d *Dispatcher) failures(id laneID, now int32) (before int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.lanes[id.integration]
	if !ok {
		return 0
	}
	before, l.failures = l.failures, now
	return before
}

// text says what became of an attempt.
func text(a Attempt) string {
	if a.Error != "" {
		return a.Error
	}
	return fmt.Sprintf("The endpoint answered %d.", a.Status)
}
