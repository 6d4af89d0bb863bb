package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// maxBatch is how many attempts are written down at once, at most.
const maxBatch = 256

// recordAttempts is how often writing is tried once no more will come: the leases
// have ended by then, and others do the deliveries again.
const recordAttempts = 20

// result is an attempt that was made, or a delivery that was not tried after all.
type result struct {
	row     db.SystemWebhookDeliveryClaimRow
	attempt Attempt
	untried bool
}

// record writes results down until there are no more: as many at once as have come
// while the ones before were written.
func (d *Dispatcher) record(ctx context.Context) {
	batch := make([]result, 0, maxBatch)
	for first := range d.results {
		batch = append(batch[:0], first)
		for more := true; more && len(batch) < maxBatch; {
			select {
			case next, ok := <-d.results:
				if ok {
					batch = append(batch, next)
				}
				more = ok
			default:
				more = false
			}
		}
		d.recordBatch(ctx, batch)
		d.drop(len(batch))
	}
}

// recordBatch writes a batch down, again and again while the database is away.
func (d *Dispatcher) recordBatch(ctx context.Context, batch []result) {
	for range recordAttempts {
		err := d.store(ctx, batch)
		if err == nil {
			return
		}
		d.Log.WarnContext(ctx, "webhook attempts not recorded", "count", len(batch), "error", err)
		time.Sleep(afterFailure)
	}
}

func (d *Dispatcher) store(ctx context.Context, batch []result) error {
	tried := make([]result, 0, len(batch))
	var given db.SystemWebhookDeliveryReleaseParams
	for _, one := range batch {
		if !one.untried {
			tried = append(tried, one)
			continue
		}
		given.WorkspaceIDs = append(given.WorkspaceIDs, one.row.WorkspaceID)
		given.IntegrationIDs = append(given.IntegrationIDs, one.row.IntegrationID)
		given.IDs = append(given.IDs, one.row.ID)
	}
	if len(given.IDs) > 0 {
		if err := db.New().SystemWebhookDeliveryRelease(ctx, d.DB, given); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	if len(tried) == 0 {
		return nil
	}
	if err := d.acknowledge(ctx, tried); err != nil {
		return err
	}
	// The attempts stand: they must not be written twice for this.
	if err := d.judge(ctx, tried); err != nil {
		d.Log.WarnContext(ctx, "state of webhooks not recorded", "error", err)
	}
	return nil
}

func (d *Dispatcher) acknowledge(ctx context.Context, tried []result) error {
	var made db.SystemWebhookDeliveryAcknowledgeParams
	for _, one := range tried {
		status, next := d.outcome(one)
		raw, err := json.Marshal(Show(one.attempt))
		if err != nil {
			return fmt.Errorf("attempt: %w", err)
		}
		made.WorkspaceIDs = append(made.WorkspaceIDs, one.row.WorkspaceID)
		made.IntegrationIDs = append(made.IntegrationIDs, one.row.IntegrationID)
		made.IDs = append(made.IDs, one.row.ID)
		made.Statuses = append(made.Statuses, string(status))
		made.NextAttempts = append(made.NextAttempts, next)
		made.Attempts = append(made.Attempts, string(raw))
	}
	if err := db.New().SystemWebhookDeliveryAcknowledge(ctx, d.DB, made); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	for _, one := range tried {
		d.metrics.observe(one)
	}
	return nil
}

// outcome says what an attempt makes of its delivery, and when to try again.
func (d *Dispatcher) outcome(r result) (api.WebhookDeliveryStatus, time.Time) {
	now := d.Clock.Now()
	if r.attempt.OK() {
		return api.WebhookDeliveryStatusSUCCEEDED, now
	}
	wait, again := delay(d.Schedule, int(r.row.Tries), r.attempt.RetryAfter)
	if !again || r.attempt.Status == http.StatusGone {
		return api.WebhookDeliveryStatusFAILED, now
	}
	return api.WebhookDeliveryStatusPENDING, now.Add(wait)
}

// Show is an attempt as the API shows it, and as it is stored.
func Show(a Attempt) api.WebhookAttempt {
	shown := api.WebhookAttempt{At: timestamp.New(a.At), DurationMs: int32(a.Duration.Milliseconds())}
	if a.Status != 0 {
		status := int32(a.Status)
		shown.ResponseStatus, shown.ResponseBody = &status, &a.Body
	}
	if a.Error != "" {
		shown.Error = &a.Error
	}
	return shown
}
