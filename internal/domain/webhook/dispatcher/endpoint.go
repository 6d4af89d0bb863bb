package dispatcher

import (
	"context"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// concurrency is how many requests to one endpoint are in flight at most.
	concurrency = 16
	// maxQueue bounds the queue of one endpoint.
	maxQueue = 128
	// failingLimit is how many deliveries are claimed for an endpoint whose latest
	// attempt failed.
	failingLimit = 4
	// queueTime is how long a queue should last at the endpoint's latency. It must be
	// less than leaseMargin: what waits longer is requeued without an attempt.
	queueTime = 2 * time.Second
	// turn is the least time between two attempts of one of an endpoint's goroutines while
	// more are queued, which makes 2,000 attempts a second. An endpoint that responds
	// immediately would get all that the processor can send, and others would wait for it.
	turn = concurrency * time.Second / 2000
	// smoothing is the weight of the latest attempt in the average latency.
	smoothing = 0.2
	// noRefill is the refillAt of an endpoint that has no more deliveries due.
	noRefill = -1
)

// endpoint is the queue of one webhook. Endpoints do not delay each other. The
// dispatcher's mutex guards it.
type endpoint struct {
	target   sender.Target
	failures int32         // in a row
	latency  time.Duration // moving average of an attempt; 0 before the first
	queue    []job
	inFlight int
	refillAt int  // the length of the queue at which to claim more
	reported bool // that its URL or secret cannot be read
}

// job is a claimed delivery. Another worker may claim it after leasedUntil.
type job struct {
	row         db.SystemWebhookDeliveryClaimRow
	holder      holder
	leasedUntil time.Time
}

// body is the request body: the event as the API represents it.
func (j job) body() []byte {
	const envelope = 256 // bytes around the data
	return event.AppendJSON(make([]byte, 0, len(j.row.Data)+envelope), db.Event{
		WorkspaceID: j.row.WorkspaceID, Sequence: j.row.Sequence, ID: j.row.EventID, Type: j.row.EventType,
		Data: j.row.Data, OccurredAt: j.row.OccurredAt,
	})
}

// capacity is how many more deliveries to claim for the endpoint: as many as it can
// accept within queueTime, few while it fails, one while it is down.
func (e *endpoint) capacity() int {
	limit := 2 * concurrency
	switch {
	case e.failures >= downAfter:
		limit = 1
	case e.failures > 0:
		limit = failingLimit
	case e.latency > 0:
		limit = concurrency + min(maxQueue, int(concurrency*queueTime/e.latency))
	}
	return max(0, limit-len(e.queue)-e.inFlight)
}

// observe updates the average latency.
func (e *endpoint) observe(d time.Duration) {
	if e.latency == 0 {
		e.latency = d
	}
	e.latency = max(1, e.latency+time.Duration(smoothing*float64(d-e.latency)))
}

// deliver posts what is queued for an endpoint until the queue is empty.
func (d *Dispatcher) deliver(ctx context.Context, e *endpoint) {
	defer d.inFlight.Done()
	for {
		next, target, ok := d.dequeue(e)
		if !ok {
			return
		}
		// After ctx ends, requests in flight go on and no new one begins.
		if ctx.Err() != nil || d.Clock.Now().Add(d.Timeout).After(next.leasedUntil) {
			d.results.add(result{row: next.row, holder: next.holder, requeue: true})
			continue
		}
		started := time.Now()
		attempt := d.Sender.Post(context.WithoutCancel(ctx), target, next.row.EventID.String(), next.body())
		d.results.add(result{row: next.row, holder: next.holder, attempt: attempt})
		d.mu.Lock()
		e.observe(attempt.Duration)
		waiting := len(e.queue) > 0
		d.mu.Unlock()
		if waiting {
			wake.Sleep(ctx, turn-time.Since(started))
		}
	}
}

// dequeue returns the next job of an endpoint, or false if there is none.
func (d *Dispatcher) dequeue(e *endpoint) (job, sender.Target, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(e.queue) == 0 {
		e.inFlight--
		return job{}, sender.Target{}, false
	}
	first := e.queue[0]
	e.queue[0] = job{} // frees the data
	e.queue = e.queue[1:]
	if len(e.queue) == e.refillAt {
		d.Wake.Send()
	}
	return first, e.target, true
}
