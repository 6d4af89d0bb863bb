package dispatcher

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

const (
	// maxBatch is how many outcomes one statement records at most.
	maxBatch = 256
	// recordAttempts is how often recording a batch is tried. By then the leases have
	// ended, and the deliveries are due again.
	recordAttempts = 20
	// recordTimeout bounds each try.
	recordTimeout = 10 * time.Second
)

// record records results until no more can come. A batch is what has arrived while the
// one before was recorded.
func (d *Dispatcher) record(ctx context.Context) {
	for batch := d.results.take(maxBatch); len(batch) > 0; batch = d.results.take(maxBatch) {
		d.recordBatch(ctx, batch)
		d.finish(batch)
	}
}

// finish counts deliveries as no longer claimed.
func (d *Dispatcher) finish(batch []result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	awaited := false
	for _, one := range batch {
		awaited = d.shares.release(one.holder) || awaited
	}
	if awaited {
		d.Wake.Send()
	}
}

// recordBatch records a batch, and retries while the database is unavailable.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []result) {
	for range recordAttempts {
		err := d.store(ctx, batch)
		if err == nil {
			return
		}
		if ctx.Err() != nil { // shutting down: the leases end, and the deliveries are repeated
			d.Log.WarnContext(ctx, "webhook attempts not recorded at shutdown", "count", len(batch), "error", err)
			return
		}
		d.Log.WarnContext(ctx, "webhook attempts not recorded", "count", len(batch), "error", err)
		time.Sleep(errorWait)
	}
}

// store records attempts and requeues deliveries without one.
func (d *Dispatcher) store(ctx context.Context, batch []result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	tried := make([]result, 0, len(batch))
	var requeued db.SystemWebhookDeliveryRequeueParams
	for _, one := range batch {
		if !one.requeue {
			tried = append(tried, one)
			continue
		}
		requeued.WorkspaceIDs = append(requeued.WorkspaceIDs, one.row.WorkspaceID)
		requeued.IntegrationIDs = append(requeued.IntegrationIDs, one.row.IntegrationID)
		requeued.IDs = append(requeued.IDs, one.row.ID)
	}
	if len(requeued.IDs) > 0 {
		if err := db.New().SystemWebhookDeliveryRequeue(ctx, d.DB, requeued); err != nil {
			return fmt.Errorf("requeue: %w", err)
		}
	}
	if len(tried) == 0 {
		return nil
	}
	if err := d.acknowledge(ctx, tried); err != nil {
		return err
	}
	// Not returned: the attempts are recorded and must not be recorded again.
	if err := d.updateHealth(ctx, tried); err != nil {
		d.Log.WarnContext(ctx, "health of webhooks not updated", "error", err)
	}
	return nil
}

// acknowledge records attempts and what they make of their deliveries.
func (d *Dispatcher) acknowledge(ctx context.Context, tried []result) error {
	var done db.SystemWebhookDeliveryAcknowledgeParams
	now, retries := d.Clock.Now(), map[time.Duration]bool{}
	for _, one := range tried {
		status, wait := d.outcome(one)
		if status == api.WebhookDeliveryStatusPENDING {
			retries[step(wait)] = true
		}
		raw, err := json.Marshal(one.attempt.Stored())
		if err != nil {
			return fmt.Errorf("attempt: %w", err)
		}
		done.WorkspaceIDs = append(done.WorkspaceIDs, one.row.WorkspaceID)
		done.IntegrationIDs = append(done.IntegrationIDs, one.row.IntegrationID)
		done.IDs = append(done.IDs, one.row.ID)
		done.Statuses = append(done.Statuses, string(status))
		done.NextAttempts = append(done.NextAttempts, now.Add(wait))
		done.Attempts = append(done.Attempts, string(raw))
	}
	if err := db.New().SystemWebhookDeliveryAcknowledge(ctx, d.DB, done); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	d.wakeAfter(retries)
	for _, one := range tried {
		d.metrics.observe(one)
	}
	return nil
}

// outcome returns the status of a delivery after an attempt, and the wait before the next.
func (d *Dispatcher) outcome(r result) (api.WebhookDeliveryStatus, time.Duration) {
	if r.attempt.OK() {
		return api.WebhookDeliveryStatusSUCCEEDED, 0
	}
	wait, again := backoff(d.Schedule, int(r.row.Tries), r.attempt.RetryAfter)
	if !again || r.attempt.Gone() {
		return api.WebhookDeliveryStatusFAILED, 0
	}
	return api.WebhookDeliveryStatusPENDING, wait
}
