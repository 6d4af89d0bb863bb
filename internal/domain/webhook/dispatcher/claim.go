package dispatcher

import (
	"context"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
)

// endpointID identifies a webhook.
type endpointID struct{ workspace, integration uuid.UUID }

// claim leases due deliveries and queues them. It reports whether an endpoint's
// capacity was used up, so that more may be due.
func (d *Dispatcher) claim(ctx context.Context) (more bool, err error) {
	now := d.Clock.Now()
	claiming, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	webhooks, err := db.New().SystemWebhookDueList(claiming, d.DB, db.SystemWebhookDueListParams{Now: now})
	if err != nil || len(webhooks) == 0 {
		return false, err
	}
	capacities, unreadable := d.capacities(webhooks, now)
	for _, id := range unreadable {
		err := db.New().SystemIntegrationSetUnreadable(ctx, d.DB, db.SystemIntegrationSetUnreadableParams{
			WorkspaceID: id.workspace, ID: id.integration, Message: sender.Unreadable, At: now,
		})
		if err != nil {
			return false, err
		}
	}
	if len(capacities) == 0 {
		return true, nil
	}
	leasedUntil := now.Add(d.Timeout + leaseMargin)
	params := db.SystemWebhookDeliveryClaimParams{Now: now, Until: leasedUntil}
	for id, n := range capacities {
		params.WorkspaceIDs = append(params.WorkspaceIDs, id.workspace)
		params.IntegrationIDs, params.Limits = append(params.IntegrationIDs, id.integration), append(params.Limits, n)
	}
	rows, err := db.New().SystemWebhookDeliveryClaim(claiming, d.DB, params)
	if err != nil {
		return false, err
	}
	d.enqueue(ctx, rows, leasedUntil)
	for _, row := range rows {
		id := endpointID{row.WorkspaceID, row.IntegrationID}
		if capacities[id]--; capacities[id] == 0 {
			more = true
		}
	}
	return more, nil
}

// capacities updates the endpoints from their rows. It returns how many deliveries to
// claim for each, without those that have no capacity, and the webhooks that turned out
// to have a secret that cannot be decrypted.
func (d *Dispatcher) capacities(webhooks []db.Integration, now time.Time) (capacities map[endpointID]int32, unreadable []endpointID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evictIdle()
	capacities = map[endpointID]int32{}
	left := maxClaimed - d.claimed
	// In random order, so that the first ones do not use up maxClaimed each time.
	rand.Shuffle(len(webhooks), func(i, j int) { webhooks[i], webhooks[j] = webhooks[j], webhooks[i] })
	for _, row := range webhooks {
		e, ok := d.endpoints[row.ID]
		if !ok {
			e = &endpoint{}
			d.endpoints[row.ID] = e
		}
		target, err := sender.OpenTarget(d.Box, row, now)
		if err != nil {
			if !e.unusable { // logged once, not with each poll
				unreadable = append(unreadable, endpointID{row.WorkspaceID, row.ID})
				d.Log.Error("webhook skipped: its URL or secret cannot be read", "error", err)
			}
			e.unusable = true
			continue
		}
		e.unusable, e.target, e.failures = false, target, row.Failures
		if n := min(e.capacity(), left); n > 0 {
			capacities[endpointID{row.WorkspaceID, row.ID}] = int32(n)
			left -= n
		}
	}
	return capacities, unreadable
}

// evictIdle drops endpoints without work once there are many.
func (d *Dispatcher) evictIdle() {
	if len(d.endpoints) < maxClaimed {
		return
	}
	maps.DeleteFunc(d.endpoints, func(_ uuid.UUID, e *endpoint) bool { return e.inFlight == 0 && e.failures == 0 })
}

// enqueue adds claimed deliveries to the queues of their endpoints, and starts
// goroutines to deliver them, up to concurrency for each endpoint.
func (d *Dispatcher) enqueue(ctx context.Context, rows []db.SystemWebhookDeliveryClaimRow, leasedUntil time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range rows {
		e := d.endpoints[row.IntegrationID]
		e.queue = append(e.queue, job{row: row, leasedUntil: leasedUntil})
		d.claimed++
		if e.inFlight < concurrency {
			e.inFlight++
			d.inFlight.Add(1)
			go d.deliver(ctx, e)
		}
	}
}
