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
)

const (
	// pollInterval is the wait between polls for due deliveries. There is none while
	// more are due than were claimed.
	pollInterval = 50 * time.Millisecond
	// pollFactor stretches the wait to a multiple of the last poll's duration, so that
	// a slow database is not polled all the time.
	pollFactor = 4
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
}

// Dispatcher claims due deliveries in batches, posts them and records the outcomes in
// batches. A claim is a lease: deliveries orphaned by a crash are due again when it
// ends. Any number of dispatchers can share a database.
type Dispatcher struct {
	Options

	metrics  metrics
	results  *results
	wake     chan struct{}  // an endpoint has capacity again
	inFlight sync.WaitGroup // goroutines that deliver

	mu        sync.Mutex
	endpoints map[uuid.UUID]*endpoint // by integration
	shares    *shares                 // of deliveries claimed and not yet recorded
}

// New returns a dispatcher that is not running yet.
func New(options Options) *Dispatcher {
	return &Dispatcher{
		Options: options, metrics: newMetrics(options.Metrics), results: newResults(),
		wake: make(chan struct{}, 1), endpoints: map[uuid.UUID]*endpoint{}, shares: newShares(maxClaimed),
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
		d.wait(ctx, d.poll(ctx))
	}
	d.inFlight.Wait()
	d.results.close()
	<-recorded
	d.Sender.Close()
}

// poll claims due deliveries and starts posting them. It returns how long to wait
// before the next poll: 0 if more may be due.
func (d *Dispatcher) poll(ctx context.Context) time.Duration {
	started := time.Now()
	more, err := d.claim(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.WarnContext(ctx, "webhook deliveries not claimed", "error", err)
		}
		return errorWait
	}
	if more {
		return 0
	}
	return max(pollInterval, pollFactor*time.Since(started))
}

// wait waits for a time or, if it is 0, until an endpoint has capacity again, at most
// pollInterval.
func (d *Dispatcher) wait(ctx context.Context, duration time.Duration) {
	wake := d.wake
	if duration > 0 {
		wake = nil
	} else {
		duration = pollInterval
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}
