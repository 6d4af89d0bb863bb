// Package retention clears away what is no longer kept. River runs it once an hour,
// in one of however many processes there are.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Queue is the queue of these jobs.
const Queue = "maintenance"

const (
	every   = time.Hour
	timeout = 10 * time.Minute
)

// Job is the job that clears everything away.
type Job struct{}

// Kind names the job in the queue.
func (Job) Kind() string { return "maintenance" }

// Schedule says when to run it: at the start of the first process, and every hour.
func Schedule() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return Job{}, &river.InsertOpts{Queue: Queue, UniqueOpts: river.UniqueOpts{ByPeriod: every}}
	}, &river.PeriodicJobOpts{RunOnStart: true})}
}

// Workers are the job's.
func Workers(on *postgres.DB, c clock.Clock, log *slog.Logger) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{on: on, clock: c, log: log})
	return workers
}

type worker struct {
	river.WorkerDefaults[Job]

	on    *postgres.DB
	clock clock.Clock
	log   *slog.Logger
}

// Timeout implements river.Worker.
func (*worker) Timeout(*river.Job[Job]) time.Duration { return timeout }

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, _ *river.Job[Job]) error {
	q, now := db.New(), w.clock.Now()
	var all error
	for what, forget := range map[string]func() (int64, error){
		"idempotency keys": func() (int64, error) {
			return (&idempotency.Store{DB: w.on, Clock: w.clock}).DeleteExpired(ctx)
		},
		"events": func() (int64, error) {
			return q.SystemEventDeleteOld(ctx, w.on, db.SystemEventDeleteOldParams{Before: now.Add(-event.Kept)})
		},
		"webhook deliveries": func() (int64, error) {
			return q.SystemWebhookDeliveryDeleteOld(ctx, w.on, db.SystemWebhookDeliveryDeleteOldParams{Before: now.Add(-event.Kept)})
		},
		"audit entries": func() (int64, error) {
			return q.SystemAuditEntryDeleteOld(ctx, w.on, db.SystemAuditEntryDeleteOldParams{Before: now.Add(-audit.Kept)})
		},
		"sessions": func() (int64, error) {
			return q.SystemSessionDeleteExpired(ctx, w.on, db.SystemSessionDeleteExpiredParams{Now: now})
		},
		"temporary webhooks": func() (int64, error) {
			return q.SystemIntegrationDeleteExpired(ctx, w.on, db.SystemIntegrationDeleteExpiredParams{Now: now})
		},
	} {
		gone, err := forget()
		if err != nil {
			all = errors.Join(all, fmt.Errorf("clear %s: %w", what, err))
		} else if gone > 0 {
			w.log.InfoContext(ctx, "cleared away", "what", what, "count", gone)
		}
	}
	return all
}
