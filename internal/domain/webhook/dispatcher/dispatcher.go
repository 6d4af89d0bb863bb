// Package dispatcher delivers events to webhooks. It claims due deliveries from the
// database, queues them per endpoint, posts them, and records the outcomes.
package dispatcher

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// busyWait is how long to wait at most for capacity, while more deliveries are due
	// than were claimed.
	busyWait = 50 * time.Millisecond
	// longestRest bounds the rest after a poll, which is as long as the poll took, so that a
	// slow database is not polled all the time. Deliveries wait for it.
	longestRest = 100 * time.Millisecond
	// longestTimer bounds the waits for which there is a timer. Retries that are due later
	// are found by polling, which is exact enough for them.
	longestTimer = 10 * time.Second
	// timerStep is the precision of timers.
	timerStep = 100 * time.Millisecond
	// maxClaimed bounds the deliveries in memory.
	maxClaimed = 2048
	// errorWait is the wait after a database error.
	errorWait = 500 * time.Millisecond
	// claimTimeout bounds a poll, so that a connection that no longer responds stops
	// deliveries for seconds only.
	claimTimeout = 5 * time.Second
	// leaseMargin is how much longer a lease lasts than an attempt may.
	leaseMargin = 5 * time.Second
)

// Options of a Dispatcher. DB may lose its latest commits in a crash
// (synchronous_commit off): a lost record only repeats a delivery.
type Options struct {
	DB       *postgres.DB
	Box      *seal.Box
	Sender   *sender.Sender
	Clock    clock.Clock
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Schedule []time.Duration // backoff; see the variable Schedule
	Timeout  time.Duration   // of an attempt
	// Wake is sent when deliveries become due. Those that it is not sent for are found
	// after Poll.
	Wake wake.Signal
	Poll time.Duration
}

// Dispatcher claims due deliveries in batches, posts them and records the outcomes in
// batches. A claim is a lease: deliveries orphaned by a crash are due again when it
// ends. Any number of dispatchers can share a database.
type Dispatcher struct {
	Options

	metrics  metrics
	results  *results
	inFlight sync.WaitGroup // goroutines that deliver

	mu        sync.Mutex
	endpoints map[uuid.UUID]*endpoint // by integration
	shares    *shares                 // of deliveries claimed and not yet recorded
}

// New returns a dispatcher that is not running yet.
func New(options Options) *Dispatcher {
	if options.Wake == nil {
		options.Wake = wake.NewSignal()
	}
	return &Dispatcher{
		Options: options, metrics: newMetrics(options.Metrics), results: newResults(),
		endpoints: map[uuid.UUID]*endpoint{}, shares: newShares(maxClaimed),
	}
}

// Run dispatches until ctx ends. It then waits for the requests in flight, which the
// timeout bounds, records their outcomes and requeues deliveries not attempted.
func (d *Dispatcher) Run(ctx context.Context) {
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		d.record(ctx)
	}()
	for ctx.Err() == nil {
		d.poll(ctx)
	}
	d.inFlight.Wait()
	d.results.close()
	<-recorded
	d.Sender.Close()
}

// poll claims due deliveries, starts posting them, and waits until there may be others.
func (d *Dispatcher) poll(ctx context.Context) {
	started := time.Now()
	more, err := d.claim(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.Log.WarnContext(ctx, "webhook deliveries not claimed", "error", err)
		wake.Sleep(ctx, errorWait)
	case more: // until an endpoint has capacity again, or other deliveries are due
		d.Wake.Wait(ctx, busyWait)
	default:
		wake.Sleep(ctx, min(time.Since(started), longestRest))
		d.Wake.Wait(ctx, d.Poll)
	}
}

// wakeAfter makes the dispatcher poll after each of the waits, which are multiples of
// timerStep.
func (d *Dispatcher) wakeAfter(waits map[time.Duration]bool) {
	for wait := range waits {
		if wait <= longestTimer {
			time.AfterFunc(wait, d.Wake.Send)
		}
	}
}

// step rounds a wait up to a multiple of timerStep.
func step(wait time.Duration) time.Duration { return (wait + timerStep - 1).Truncate(timerStep) }
