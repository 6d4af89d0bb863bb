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

// maxClaim is how many deliveries one statement claims at most, so that a backlog delays
// the next poll, which others wait for, by little.
const maxClaim = 256

// endpointID identifies a webhook.
type endpointID struct{ workspace, integration uuid.UUID }

// claimable is a webhook with due deliveries.
type claimable struct {
	id       endpointID
	holder   holder
	endpoint *endpoint
	capacity int // of the endpoint
	limit    int // how many to claim
	claimed  int
}

// claim leases due deliveries and queues them. It reports whether more may be due than
// there was capacity for.
func (d *Dispatcher) claim(ctx context.Context) (more bool, err error) {
	for again := true; again && err == nil; {
		again, more, err = d.claimBatch(ctx)
	}
	return more, err
}

// claimBatch is claim for up to maxClaim deliveries. again reports whether that limit was
// reached.
func (d *Dispatcher) claimBatch(ctx context.Context) (again, more bool, err error) {
	now := d.Clock.Now()
	claiming, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	webhooks, err := db.New().SystemWebhookDueList(claiming, d.DB, db.SystemWebhookDueListParams{Now: now})
	if err != nil || len(webhooks) == 0 {
		return false, false, err
	}
	due, unreadable := d.capacities(webhooks, now)
	for _, id := range unreadable {
		d.reportUnreadable(claiming, id, now)
	}
	dealt := d.deal(due)
	if dealt == 0 {
		return false, true, nil
	}
	leasedUntil := now.Add(d.Timeout + leaseMargin)
	rows, err := db.New().SystemWebhookDeliveryClaim(claiming, d.DB, claimParams(due, now, leasedUntil))
	more = d.enqueue(ctx, due, rows, leasedUntil) // without rows after an error
	return dealt == maxClaim && len(rows) > 0, more, err
}

func claimParams(due []*claimable, now, until time.Time) db.SystemWebhookDeliveryClaimParams {
	params := db.SystemWebhookDeliveryClaimParams{Now: now, Until: until}
	for _, one := range due {
		if one.limit > 0 {
			params.WorkspaceIDs = append(params.WorkspaceIDs, one.id.workspace)
			params.IntegrationIDs = append(params.IntegrationIDs, one.id.integration)
			params.Limits = append(params.Limits, int32(one.limit))
		}
	}
	return params
}

// capacities updates the endpoints from their rows. It returns those that can be sent to,
// and the webhooks whose secret turned out not to be decryptable.
func (d *Dispatcher) capacities(webhooks []db.Integration, now time.Time) (due []*claimable, unreadable []endpointID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.evictIdle()
	for _, row := range webhooks {
		id := endpointID{row.WorkspaceID, row.ID}
		e, ok := d.endpoints[row.ID]
		if !ok {
			e = &endpoint{}
			d.endpoints[row.ID] = e
		}
		target, err := sender.OpenTarget(d.Box, row, now)
		if err != nil {
			if !e.reported {
				unreadable = append(unreadable, id)
				d.Log.Error("webhook skipped: its URL or secret cannot be read", "error", err)
			}
			continue
		}
		e.reported, e.target, e.failures = false, target, row.Failures
		due = append(due, &claimable{
			id: id, holder: holder{row.WorkspaceID, target.URL.Hostname()}, endpoint: e, capacity: e.capacity(),
		})
	}
	return due, unreadable
}

// reportUnreadable tells the owner of a webhook that its secret cannot be decrypted. If
// that fails, the next poll retries it; the deliveries of others go on.
func (d *Dispatcher) reportUnreadable(ctx context.Context, id endpointID, now time.Time) {
	err := db.New().SystemIntegrationSetUnreadable(ctx, d.DB, db.SystemIntegrationSetUnreadableParams{
		WorkspaceID: id.workspace, ID: id.integration, Message: sender.Unreadable, At: now,
	})
	if err != nil {
		d.Log.WarnContext(ctx, "unreadable webhook not reported to its owner", "error", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endpoints[id.integration].reported = true
}

// deal sets how many deliveries to claim for each webhook: workspaces take turns of one
// delivery, and so do the webhooks of each, until maxClaim are dealt or all capacities and
// shares are used up. It returns how many were dealt.
func (d *Dispatcher) deal(due []*claimable) (dealt int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shares.forgetRefusals()
	for queues := byWorkspace(due); len(queues) > 0; {
		left := queues[:0]
		for _, queue := range queues {
			if dealt == maxClaim {
				return dealt
			}
			first, rest := queue[0], queue[1:]
			if first.limit < first.capacity && d.shares.take(first.holder) {
				first.limit++
				dealt++
				rest = append(rest, first)
			}
			if len(rest) > 0 {
				left = append(left, rest)
			}
		}
		queues = left
	}
	return dealt
}

// byWorkspace groups webhooks, both in random order, so that the first ones do not use up
// a limit each time.
func byWorkspace(due []*claimable) [][]*claimable {
	groups := map[uuid.UUID][]*claimable{}
	for _, i := range rand.Perm(len(due)) {
		groups[due[i].id.workspace] = append(groups[due[i].id.workspace], due[i])
	}
	queues := make([][]*claimable, 0, len(groups))
	for _, group := range groups {
		queues = append(queues, group)
	}
	rand.Shuffle(len(queues), func(i, j int) { queues[i], queues[j] = queues[j], queues[i] })
	return queues
}

// evictIdle drops endpoints without work once there are many.
func (d *Dispatcher) evictIdle() {
	if len(d.endpoints) < maxClaimed {
		return
	}
	maps.DeleteFunc(d.endpoints, func(_ uuid.UUID, e *endpoint) bool { return e.inFlight == 0 && e.failures == 0 })
}

// enqueue adds claimed deliveries to the queues of their endpoints, starts goroutines to
// deliver them, up to concurrency for each endpoint, and returns what was dealt and not
// claimed. It reports whether more may be due.
func (d *Dispatcher) enqueue(ctx context.Context, due []*claimable, rows []db.SystemWebhookDeliveryClaimRow, leasedUntil time.Time) (more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	byID := make(map[endpointID]*claimable, len(due))
	for _, one := range due {
		byID[one.id] = one
	}
	for _, row := range rows {
		one := byID[endpointID{row.WorkspaceID, row.IntegrationID}]
		one.claimed++
		one.endpoint.queue = append(one.endpoint.queue, job{row: row, holder: one.holder, leasedUntil: leasedUntil})
	}
	for _, one := range due {
		d.start(ctx, one.endpoint)
		for range one.limit - one.claimed {
			d.shares.release(one.holder)
		}
		exhausted := one.claimed == one.limit
		one.endpoint.refillAt = noRefill
		if exhausted {
			one.endpoint.refillAt = len(one.endpoint.queue) / 2
		}
		more = more || exhausted && (one.limit > 0 || one.capacity > 0)
	}
	return more
}

// start starts goroutines for the queue of an endpoint.
func (d *Dispatcher) start(ctx context.Context, e *endpoint) {
	for n := len(e.queue); n > 0 && e.inFlight < concurrency; n-- {
		e.inFlight++
		d.inFlight.Add(1)
		go d.deliver(ctx, e)
	}
}
