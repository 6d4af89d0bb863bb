//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/avelto/convo/db"
)

const (
	riverQueue   = "bench"
	riverWorkers = 400
	riverFetch   = 20 * time.Millisecond
	riverChunk   = 5000
)

// riverCommand is the second reference: River, with a plain POST in each job.
type riverCommand struct{}

// postJob is one delivery.
type postJob struct {
	URL   string    `json:"url"`
	Event uuid.UUID `json:"event"`
	Body  string    `json:"body"`
}

// Kind implements river.JobArgs.
func (postJob) Kind() string { return "bench_post" }

type postWorker struct{ river.WorkerDefaults[postJob] }

// Work implements river.Worker.
func (*postWorker) Work(ctx context.Context, job *river.Job[postJob]) error {
	return post(ctx, job.Args.URL, job.Args.Event, job.Args.Body)
}

// Run implements the command.
func (*riverCommand) Run(ctx context.Context) error {
	pool, err := openPool(ctx)
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &postWorker{})
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema: db.RiverSchema, Logger: discard, Workers: workers, FetchCooldown: riverFetch, FetchPollInterval: 2 * riverFetch,
		Queues: map[string]river.QueueConfig{riverQueue: {MaxWorkers: riverWorkers}},
	})
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	if err := jobs.Start(ctx); err != nil {
		return fmt.Errorf("river: %w", err)
	}
	err = serveReference(ctx, http.NewServeMux())
	<-jobs.Stopped()
	return err
}

// loadRiver inserts all jobs in one transaction, like the other backlogs.
func loadRiver(ctx context.Context, g *ground, s *sink, n int) error {
	jobs, err := river.NewClient(riverpgxv5.New(g.on.Pool()), &river.Config{Schema: db.RiverSchema, Logger: discard})
	if err != nil {
		return fmt.Errorf("river: %w", err)
	}
	tx, err := g.on.Pool().Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // no-op after the commit
	for from := 0; from < n; from += riverChunk {
		batch := make([]river.InsertManyParams, min(riverChunk, n-from))
		for i := range batch {
			batch[i] = river.InsertManyParams{
				Args:       postJob{URL: s.url((from + i) % endpoints), Event: uuid.New(), Body: payload},
				InsertOpts: &river.InsertOpts{Queue: riverQueue},
			}
		}
		if _, err := jobs.InsertManyFastTx(ctx, tx, batch); err != nil {
			return fmt.Errorf("insert jobs: %w", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
