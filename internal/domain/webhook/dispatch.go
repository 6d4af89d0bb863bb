package webhook

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

const (
	// poll is how often new deliveries are looked for; while there are more than were
	// taken, at once.
	poll = 50 * time.Millisecond
	// restFactor keeps a look that takes long from filling the time.
	restFactor = 4
	// maxHeld bounds the deliveries in memory.
	maxHeld = 2048
	// afterFailure is how long to leave a database alone that does not answer.
	afterFailure = 500 * time.Millisecond
	// leaseMargin is what a lease is longer than an attempt.
	leaseMargin = 5 * time.Second
)

// Options of a Dispatcher. DB is where deliveries are: commits on it need not wait
// for the disk, for whatever is lost there is merely done again.
type Options struct {
	DB       *postgres.DB
	Box      *seal.Box
	Sender   *Sender
	Clock    clock.Clock
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Schedule []time.Duration
	Timeout  time.Duration
}

// Dispatcher takes due deliveries from the database, many at a time, posts them and
// writes down what became of them, many at a time. What it has taken is leased: if
// it dies, another takes it after the lease. Any number of dispatchers can share a
// database.
type Dispatcher struct {
	Options

	metrics metrics
	results chan result
	wake    chan struct{}
	posting sync.WaitGroup

	mu    sync.Mutex
	lanes map[uuid.UUID]*lane
	held  int
}

// NewDispatcher returns a dispatcher that is not running yet.
func NewDispatcher(options Options) *Dispatcher {
	return &Dispatcher{
		Options: options, metrics: newMetrics(options.Metrics), results: make(chan result, maxBatch),
		wake: make(chan struct{}, 1), lanes: map[uuid.UUID]*lane{},
	}
}

// Run dispatches until ctx ends; then it waits for the posts under way, which their
// timeout bounds, and writes down what became of them.
func (d *Dispatcher) Run(ctx context.Context) {
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		d.record(context.WithoutCancel(ctx))
	}()
	for ctx.Err() == nil {
		d.rest(ctx, d.look(ctx))
	}
	d.posting.Wait()
	close(d.results)
	<-recorded
	d.Sender.Close()
}

// look takes what is due and starts posting it. It returns how long to wait for the
// next look: 0 where there is more than was taken.
func (d *Dispatcher) look(ctx context.Context) time.Duration {
	started := time.Now()
	more, err := d.take(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.WarnContext(ctx, "webhook deliveries not read", "error", err)
		}
		return afterFailure
	}
	if more {
		return 0
	}
	return max(poll, restFactor*time.Since(started))
}

// rest waits a time, or where that is 0, until a lane has room again.
func (d *Dispatcher) rest(ctx context.Context, wait time.Duration) {
	wake := d.wake
	if wait > 0 {
		wake = nil
	} else {
		wait = poll
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// take claims deliveries and hands them to their lanes. It reports whether some lane
// was filled, so that more may be due.
func (d *Dispatcher) take(ctx context.Context) (more bool, err error) {
	now := d.Clock.Now()
	webhooks, err := db.New().SystemWebhookDueList(ctx, d.DB, db.SystemWebhookDueListParams{Now: now})
	if err != nil || len(webhooks) == 0 {
		return false, err
	}
	expires := now.Add(d.Timeout + leaseMargin)
	claim := db.SystemWebhookDeliveryClaimParams{Now: now, Until: expires}
	room := d.makeRoom(webhooks, now)
	for id, n := range room {
		claim.IntegrationIDs, claim.Limits = append(claim.IntegrationIDs, id.integration), append(claim.Limits, n)
		claim.WorkspaceIDs = append(claim.WorkspaceIDs, id.workspace)
	}
	if len(room) == 0 {
		return true, nil
	}
	rows, err := db.New().SystemWebhookDeliveryClaim(ctx, d.DB, claim)
	if err != nil {
		return false, err
	}
	d.start(ctx, rows, expires)
	for _, row := range rows {
		id := laneID{row.WorkspaceID, row.IntegrationID}
		if room[id]--; room[id] == 0 {
			more = true
		}
	}
	return more, nil
}

type laneID struct{ workspace, integration uuid.UUID }

// makeRoom brings lanes up to date and says how much each may take.
func (d *Dispatcher) makeRoom(webhooks []db.Integration, now time.Time) map[laneID]int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetIdle()
	room, left := map[laneID]int32{}, maxHeld-d.held
	// In another order each time: the first must not take all the room for ever.
	rand.Shuffle(len(webhooks), func(i, j int) { webhooks[i], webhooks[j] = webhooks[j], webhooks[i] })
	for _, row := range webhooks {
		l, ok := d.lanes[row.ID]
		if !ok {
			l = &lane{}
			d.lanes[row.ID] = l
		}
		target, err := NewTarget(d.Box, row, now)
		if err != nil {
			if !l.broken { // it is looked at many times a second
				d.Log.Error("webhook left out", "error", err)
			}
			l.broken = true
			continue
		}
		l.broken = false
		l.target, l.failures = target, row.Failures
		if n := min(l.room(), left); n > 0 {
			room[laneID{row.WorkspaceID, row.ID}] = int32(n)
			left -= n
		}
	}
	return room
}

// forgetIdle drops lanes without work once there are many.
func (d *Dispatcher) forgetIdle() {
	if len(d.lanes) < maxHeld {
		return
	}
	maps.DeleteFunc(d.lanes, func(_ uuid.UUID, l *lane) bool { return l.running == 0 && l.failures == 0 })
}

// start hands deliveries to their lanes, and has each lane worked at.
func (d *Dispatcher) start(ctx context.Context, rows []db.SystemWebhookDeliveryClaimRow, expires time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range rows {
		l := d.lanes[row.IntegrationID]
		l.waiting = append(l.waiting, job{row: row, expires: expires})
		d.held++
		if l.running < concurrency {
			l.running++
			d.posting.Add(1)
			go d.work(ctx, l)
		}
	}
}

// work posts what waits in a lane until nothing does.
func (d *Dispatcher) work(ctx context.Context, l *lane) {
	defer d.posting.Done()
	for {
		next, target, ok := d.next(l)
		if !ok {
			return
		}
		// Stopping does not cut a post short, but begins none.
		if ctx.Err() != nil || d.Clock.Now().Add(d.Timeout).After(next.expires) {
			d.results <- result{row: next.row, untried: true}
			continue
		}
		attempt := d.Sender.Post(context.WithoutCancel(ctx), target, next.row.EventID.String(), next.body())
		d.results <- result{row: next.row, attempt: attempt}
		d.mu.Lock()
		l.took(attempt.Duration)
		d.mu.Unlock()
	}
}

func (d *Dispatcher) next(l *lane) (job, Target, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running--
		return job{}, Target{}, false
	}
	first := l.waiting[0]
	l.waiting[0] = job{}
	l.waiting = l.waiting[1:]
	if len(l.waiting) == depth/2 {
		select {
		case d.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return first, l.target, true
}

// drop forgets deliveries that are done with.
func (d *Dispatcher) drop(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held -= n
}
