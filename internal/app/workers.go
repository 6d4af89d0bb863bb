package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/retention"
	"github.com/avelto/convo/internal/domain/webhook"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

const (
	// webhookConns are the dispatcher's: one reads, one writes, one is spare.
	webhookConns = 3
	// idlePerEndpoint is how many connections to an endpoint stay open unused.
	idlePerEndpoint = 16
	jobPoll         = time.Second
	keepJobs        = time.Hour // after they are done
	// knowledgeJobs is how many sources a process takes in at once.
	knowledgeJobs     = 4
	defaultCrawlPages = 200
	// DefaultStorage is where files are kept where the operator does not say.
	DefaultStorage = ".convo/files"
	stopPatience   = 20 * time.Second
)

// workers do what requests leave to be done: they deliver webhooks and clear away
// what is no longer kept. Any number of processes can work on one database.
type workers struct {
	dispatcher *webhook.Dispatcher
	database   *postgres.DB
	jobs       *river.Client[pgx.Tx]
	log        *slog.Logger
}

// outbound is what deals with the world outside: webhooks, sites, storage.
type outbound struct {
	blobs  blob.Store
	guard  *egress.Guard
	box    *seal.Box
	sender *webhook.Sender
}

func newOutbound(ctx context.Context, config Config, key []byte, c clock.Clock) (*outbound, error) {
	allowed, err := egress.ParsePrefixes(config.AllowedTargets)
	if err != nil {
		return nil, fmt.Errorf("allowed targets: %w", err)
	}
	box, err := seal.New(key, "webhook secrets")
	if err != nil {
		return nil, err
	}
	storage := config.Storage
	if storage == "" {
		storage = DefaultStorage
	}
	blobs, err := blob.Open(ctx, storage)
	if err != nil {
		return nil, err
	}
	guard := egress.NewGuard(allowed)
	return &outbound{blobs: blobs, guard: guard, box: box, sender: webhook.NewSender(guard, c, config.webhookTimeout(), idlePerEndpoint)}, nil
}

// work adds workers to what the app runs.
func (a *App) work(ctx context.Context, config Config, parts Parts, out *outbound, metrics prometheus.Registerer) error {
	pages := config.CrawlPages
	if pages == 0 {
		pages = defaultCrawlPages
	}
	handlers := retention.Workers(parts.DB, parts.Clock, parts.Log)
	river.AddWorker(handlers, &knowledge.TakeUpWorker{DB: parts.DB, Clock: parts.Clock})
	river.AddWorker(handlers, &knowledge.Worker{
		DB: parts.DB, IDs: id.NewGenerator(parts.Clock), Clock: parts.Clock, Blobs: out.blobs, Guard: out.guard,
		Extract: &extract.Runner{Binary: parts.ExtractBinary}, MaxPages: pages, Log: parts.Log,
	})
	jobs, err := river.NewClient(riverpgxv5.New(parts.DB.Pool()), &river.Config{
		Schema: db.RiverSchema, Logger: warnings(parts.Log), FetchPollInterval: jobPoll, CompletedJobRetentionPeriod: keepJobs,
		Queues:       map[string]river.QueueConfig{retention.Queue: {MaxWorkers: 1}, knowledge.Queue: {MaxWorkers: knowledgeJobs}},
		Workers:      handlers,
		PeriodicJobs: append(retention.Schedule(), knowledge.Schedule()...),
	})
	if err != nil {
		return fmt.Errorf("job queue: %w", err)
	}
	database, err := parts.DB.Unflushed(ctx, webhookConns)
	if err != nil {
		return err
	}
	dispatcher := webhook.NewDispatcher(webhook.Options{
		DB: database, Box: out.box, Sender: out.sender, Clock: parts.Clock, Log: parts.Log, Metrics: metrics,
		Schedule: config.webhookRetries(), Timeout: config.webhookTimeout(),
	})
	w := &workers{dispatcher: dispatcher, database: database, jobs: jobs, log: parts.Log}
	a.loops = append(a.loops, w.run)
	return nil
}

// run works until ctx ends and what was begun is done.
func (w *workers) run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { w.dispatcher.Run(ctx) })
	loops.Go(func() { w.runJobs(ctx) })
	loops.Wait()
	w.database.Close()
}

func (w *workers) runJobs(ctx context.Context) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := w.jobs.Start(running); err != nil {
		w.log.ErrorContext(ctx, "job queue not started", "error", err)
		return
	}
	<-ctx.Done()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if err := w.jobs.StopAndCancel(patience); err != nil && !errors.Is(err, context.Canceled) {
		w.log.WarnContext(ctx, "jobs cut short", "error", err)
	}
}
