package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
)

// summary is what a batch says about one endpoint.
type summary struct {
	failed int32          // attempts since the last that succeeded
	gone   bool           // it responded 410
	last   sender.Attempt // the last that failed
}

// updateHealth updates the state of the endpoints in a batch: failing, paused,
// disabled or recovered. Most batches change nothing. The number of statements does not
// grow with the number of failing endpoints, since all workspaces wait for a batch.
func (d *Dispatcher) updateHealth(ctx context.Context, batch []result) error {
	var recovered []endpointID
	failed := map[endpointID]*summary{}
	var errs error
	for id, s := range summarize(batch) {
		switch {
		case s.gone:
			errs = errors.Join(errs, d.disable(ctx, id, "The endpoint responded 410 Gone."))
		case s.failed > 0:
			failed[id] = s
		case d.setFailures(id, 0) > 0:
			recovered = append(recovered, id)
		}
	}
	return errors.Join(errs, d.recover(ctx, recovered), d.fail(ctx, failed))
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

// recover resets the counts of failures.
func (d *Dispatcher) recover(ctx context.Context, recovered []endpointID) error {
	if len(recovered) == 0 {
		return nil
	}
	var params db.SystemIntegrationRecordSuccessParams
	for _, id := range recovered {
		params.WorkspaceIDs = append(params.WorkspaceIDs, id.workspace)
		params.IntegrationIDs = append(params.IntegrationIDs, id.integration)
	}
	if err := db.New().SystemIntegrationRecordSuccess(ctx, d.DB, params); err != nil {
		return fmt.Errorf("record recovery of endpoints: %w", err)
	}
	return nil
}

// fail adds to the counts of failures, and pauses or disables the endpoints for which they
// are too many or have lasted too long. Those deleted or disabled in the meantime are left.
func (d *Dispatcher) fail(ctx context.Context, failed map[endpointID]*summary) error {
	if len(failed) == 0 {
		return nil
	}
	now := d.Clock.Now()
	params := db.SystemIntegrationRecordFailuresParams{At: now, DownAfter: downAfter}
	for id, s := range failed {
		params.WorkspaceIDs = append(params.WorkspaceIDs, id.workspace)
		params.IntegrationIDs = append(params.IntegrationIDs, id.integration)
		params.Messages, params.Counts = append(params.Messages, describe(s.last)), append(params.Counts, s.failed)
	}
	rows, err := db.New().SystemIntegrationRecordFailures(ctx, d.DB, params)
	if err != nil {
		return fmt.Errorf("record failures of endpoints: %w", err)
	}
	var errs error
	pauses := map[endpointID]time.Duration{}
	for _, row := range rows {
		id := endpointID{row.WorkspaceID, row.ID}
		d.setFailures(id, row.Failures)
		length := pause(d.Schedule, int(row.Failures))
		switch {
		case now.Sub(row.FailingSince) >= DisableAfter:
			errs = errors.Join(errs, d.disable(ctx, id, "Every attempt failed for five days. The latest: "+describe(failed[id].last)))
		case length > 0 && !row.Paused:
			pauses[id] = length
		}
	}
	return errors.Join(errs, d.pause(ctx, now, pauses))
}

// pause pauses endpoints from now on, each for its own time.
func (d *Dispatcher) pause(ctx context.Context, now time.Time, pauses map[endpointID]time.Duration) error {
	if len(pauses) == 0 {
		return nil
	}
	var params db.SystemIntegrationPauseParams
	waits := map[time.Duration]bool{}
	for id, length := range pauses {
		params.WorkspaceIDs, params.IntegrationIDs = append(params.WorkspaceIDs, id.workspace), append(params.IntegrationIDs, id.integration)
		params.Untils = append(params.Untils, now.Add(length))
		waits[step(length)] = true
	}
	if err := db.New().SystemIntegrationPause(ctx, d.DB, params); err != nil {
		return fmt.Errorf("pause endpoints: %w", err)
	}
	d.wakeAfter(waits)
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
