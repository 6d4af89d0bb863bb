// Package retention deletes rows that are past their retention. River runs it once an
// hour, in one of the processes.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Queue is the queue of the job.
const Queue = "maintenance"

const (
	every   = time.Hour
	timeout = 10 * time.Minute
	// batchRows and batchTimeout bound each statement, and with it how long rows stay
	// locked and how far a replica lags behind.
	batchRows    = 5000
	batchTimeout = 10 * time.Second
)

// Job deletes the rows of every kind.
type Job struct{}

// Kind names the job in the queue.
func (Job) Kind() string { return "maintenance" }

// Schedule runs the job when the first process starts, and every hour.
func Schedule() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return Job{}, &river.InsertOpts{Queue: Queue, UniqueOpts: river.UniqueOpts{ByPeriod: every}}
	}, &river.PeriodicJobOpts{RunOnStart: true})}
}

// Workers returns workers that run the job; others can be added.
func Workers(on *postgres.DB, c clock.Clock, log *slog.Logger) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &Worker{DB: on, Clock: c, Log: log})
	return workers
}

// Worker is River's worker for Job.
type Worker struct {
	river.WorkerDefaults[Job]

	DB    *postgres.DB
	Clock clock.Clock
	Log   *slog.Logger
}

// Timeout implements river.Worker.
func (*Worker) Timeout(*river.Job[Job]) time.Duration { return timeout }

// Work implements river.Worker. Each kind of row has an equal share of the job's time,
// so that a backlog of one does not delay the others.
func (w *Worker) Work(ctx context.Context, _ *river.Job[Job]) error {
	var all error
	kinds := w.kinds()
	for _, k := range kinds {
		deleted, err := deleteAll(ctx, k, timeout/time.Duration(len(kinds)+1))
		if err != nil {
			all = errors.Join(all, fmt.Errorf("delete %s: %w", k.name, err))
		}
		if deleted > 0 {
			w.Log.InfoContext(ctx, "deleted rows past their retention", "kind", k.name, "count", deleted)
		}
	}
	return all
}

// deleteAll deletes in batches until nothing is left or the time is up; the next job
// continues then.
func deleteAll(ctx context.Context, k kind, limit time.Duration) (deleted int64, err error) {
	for began := time.Now(); time.Since(began) < limit; {
		n, err := deleteBatch(ctx, k)
		deleted += n
		if err != nil || n < batchRows {
			return deleted, err
		}
	}
	return deleted, nil
}

func deleteBatch(ctx context.Context, k kind) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	return k.delete(ctx)
}
