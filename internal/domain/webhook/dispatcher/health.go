package dispatcher

import (
	"context"
	"fmt"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/postgres"
)

// summary is what a batch says about one endpoint.
type summary struct {
	failed int32          // attempts since the last that succeeded
	gone   bool           // it responded 410
	last   sender.Attempt // the last that failed
}

// updateHealth updates the state of the endpoints in a batch: failing, paused,
// disabled or recovered. Most batches change nothing.
func (d *Dispatcher) updateHealth(ctx context.Context, batch []result) error {
	for id, s := range summarize(batch) {
		if err := d.updateEndpoint(ctx, id, s); err != nil {
			return err
		}
	}
	return nil
}

func summarize(batch []result) map[endpointID]*summary {
	summaries := map[endpointID]*summary{}
	for _, one := range batch {
		id := endpointID{one.row.WorkspaceID, one.row.IntegrationID}
		s := summaries[id]
		if s == nil {
			s = &summary{}
			summaries[id] = s
		}
		if one.attempt.OK() {
			s.failed = 0
			continue
		}
		s.failed++
		s.last = one.attempt
		s.gone = s.gone || one.attempt.Gone()
	}
	return summaries
}

func (d *Dispatcher) updateEndpoint(ctx context.Context, id endpointID, s *summary) error {
	if s.gone {
		return d.disable(ctx, id, "The endpoint responded 410 Gone.")
	}
	if s.failed == 0 {
		return d.recover(ctx, id)
	}
	return d.fail(ctx, id, s)
}

// recover resets the count of failures, if there were any.
func (d *Dispatcher) recover(ctx context.Context, id endpointID) error {
	if d.setFailures(id, 0) == 0 {
		return nil
	}
	err := db.New().SystemIntegrationRecordSuccess(ctx, d.DB, db.SystemIntegrationRecordSuccessParams{WorkspaceID: id.workspace, ID: id.integration})
	if err != nil {
		return fmt.Errorf("record recovery of an endpoint: %w", err)
	}
	return nil
}

// fail adds to the count of failures, and pauses or disables the endpoint when they
// are too many or have lasted too long.
func (d *Dispatcher) fail(ctx context.Context, id endpointID, s *summary) error {
	now := d.Clock.Now()
	row, err := db.New().SystemIntegrationRecordFailures(ctx, d.DB, db.SystemIntegrationRecordFailuresParams{
		WorkspaceID: id.workspace, ID: id.integration, Message: describe(s.last), At: now, Count: s.failed, DownAfter: downAfter,
	})
	if postgres.IsNotFound(err) {
		return nil // deleted or disabled in the meantime
	} else if err != nil {
		return fmt.Errorf("record failures of an endpoint: %w", err)
	}
	d.setFailures(id, row.Failures)
	if now.Sub(row.FailingSince) >= DisableAfter {
		return d.disable(ctx, id, "Every attempt failed for five days. The latest: "+describe(s.last))
	}
	length := pause(d.Schedule, int(row.Failures))
	if length == 0 || row.Paused {
		return nil
	}
	err = db.New().SystemIntegrationPause(ctx, d.DB, db.SystemIntegrationPauseParams{WorkspaceID: id.workspace, ID: id.integration, Until: now.Add(length)})
	if err != nil {
		return fmt.Errorf("pause an endpoint: %w", err)
	}
	d.wakeAfter(map[time.Duration]bool{step(length): true})
	return nil
}

func (d *Dispatcher) disable(ctx context.Context, id endpointID, reason string) error {
	err := db.New().SystemIntegrationDisable(ctx, d.DB, db.SystemIntegrationDisableParams{WorkspaceID: id.workspace, ID: id.integration, Message: reason, At: d.Clock.Now()})
	if err != nil {
		return fmt.Errorf("disable an endpoint: %w", err)
	}
	d.Log.InfoContext(ctx, "webhook disabled", "workspaceId", id.workspace, "integrationId", id.integration, "reason", reason)
	return nil
}

// setFailures sets an endpoint's count of failures and returns the previous one.
func (d *Dispatcher) setFailures(id endpointID, n int32) (previous int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.endpoints[id.integration]
	if !ok {
		return 0
	}
	previous, e.failures = e.failures, n
	return previous
}

// describe says how an attempt failed.
func describe(a sender.Attempt) string {
	if a.Error != "" {
		return a.Error
	}
	return fmt.Sprintf("The endpoint responded %d.", a.Status)
}
