package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/retention"
	"github.com/avelto/convo/internal/domain/webhook/dispatcher"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// webhookConns is the dispatcher's pool: one claims, one records, one is spare.
	webhookConns = 3
	// jobConns is the pool of the job queue, which listens on one of them.
	jobConns       = 4
	jobPoll        = time.Second
	jobRetention   = time.Hour // of completed jobs
	jobStopTimeout = 20 * time.Second

	channelWorkers = 4 // jobs of channels that run at a time in a process

	defaultPoll = time.Second
	// foldPolls is how many polls of other workers are between two of the analytics, which
	// are in no hurry.
	foldPolls = 30
)

// addWorkers adds to the app's loops what numbers events, delivers webhooks, counts,
// ingests knowledge and runs jobs. Any number of processes can run them on one database.
func (a *App) addWorkers(ctx context.Context, config Config, parts Parts, out *connections, metrics prometheus.Registerer) error {
	if parts.Poll == 0 {
		parts.Poll = defaultPoll
	}
	if err := a.addSequencer(ctx, parts); err != nil {
		return err
	}
	if err := a.addDispatcher(ctx, config, parts, out, metrics); err != nil {
		return err
	}
	a.addFolder(parts)
	reader := &extract.Runner{Binary: parts.ExtractBinary}
	if err := a.addKnowledge(ctx, config, parts, out, reader); err != nil {
		return err
	}
	if err := a.addChannels(ctx, parts, out); err != nil {
		return err
	}
	if err := a.addAgents(ctx, parts, out); err != nil {
		return err
	}
	return a.addJobs(ctx, parts, out, reader)
}

// addSequencer adds what numbers events. It has a connection of its own, so that it
// neither waits for requests nor delays them.
func (a *App) addSequencer(ctx context.Context, parts Parts) error {
	own, err := parts.DB.Apart(ctx, 1)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, own.Close)
	sequencer := &event.Sequencer{DB: own, Log: parts.Log, Wake: wake.NewSignal(), Poll: parts.Poll, Bell: a.bell}
	a.bell.Listen(wake.Events, sequencer.Wake)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		sequencer.Run(ctx)
	})
	return nil
}

// addDispatcher adds what delivers webhooks.
func (a *App) addDispatcher(ctx context.Context, config Config, parts Parts, out *connections, metrics prometheus.Registerer) error {
	own, err := parts.DB.Queue(ctx, webhookConns)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, own.Close)
	deliveries := dispatcher.New(dispatcher.Options{
		DB: own, Box: out.box, Sender: out.sender, Clock: parts.Clock, Log: parts.Log, Metrics: metrics,
		Schedule: config.webhookRetries(), Timeout: config.webhookTimeout(), Wake: wake.NewSignal(), Poll: parts.Poll,
	})
	a.bell.Listen(wake.Deliveries, deliveries.Wake)
	a.loops = append(a.loops, func(ctx context.Context) {
		defer own.Close()
		deliveries.Run(ctx)
	})
	return nil
}

// addFolder adds what folds the counts of analytics. Most changes that are counted have
// events. The others are folded later, which makes no difference to figures.
func (a *App) addFolder(parts Parts) {
	folder := &analytics.Folder{DB: parts.DB, Log: parts.Log, Wake: wake.NewSignal(), Poll: foldPolls * parts.Poll}
	a.bell.Listen(wake.Events, folder.Wake)
	a.loops = append(a.loops, folder.Run)
}

// addJobs adds the job queue.
func (a *App) addJobs(ctx context.Context, parts Parts, out *connections, reader *extract.Runner) error {
	queue, err := parts.DB.Direct(ctx, jobConns)
	if err != nil {
		return err
	}
	a.opened = append(a.opened, queue.Close)
	jobs, err := newJobWorkers(parts, out, queue)
	if err != nil {
		return err
	}
	a.loops = append(a.loops,
		func(ctx context.Context) {
			defer queue.Close()
			runJobs(ctx, jobs, parts.Log)
		},
		func(ctx context.Context) { reportProtections(ctx, reader, parts.Log) })
	return nil
}

// addNotifications adds what listens to the database, and what wakes the workers of other
// processes. If this process has workers, only they are woken by it: the others find what
// these leave when they poll.
func (a *App) addNotifications(parts Parts) {
	a.channels = append(a.channels, a.bell.Channel())
	a.loops = append(a.loops,
		func(ctx context.Context) { parts.DB.Listen(ctx, parts.Log, a.channels...) },
		func(ctx context.Context) { a.bell.Notify(ctx, parts.DB, parts.Log) })
}

// newJobWorkers returns a River client that works on jobs once started.
func newJobWorkers(parts Parts, out *connections, queue *postgres.DB) (*river.Client[pgx.Tx], error) {
	workers := retention.Workers(parts.DB, parts.Clock, parts.Log)
	river.AddWorker(workers, &knowledge.DeleteFileWorker{Blobs: out.blobs})
	river.AddWorker(workers, &integration.PurgeWorker{DB: parts.DB})
	river.AddWorker(workers, &channel.DisconnectWorker{Opener: out.channels})
	river.AddWorker(workers, &contact.ForgetWorker{DB: parts.DB, Blobs: out.blobs})
	river.AddWorker(workers, &widget.SweepWorker{DB: parts.DB, Clock: parts.Clock, Blobs: out.blobs})
	client, err := river.NewClient(riverpgxv5.New(queue.Pool()), &river.Config{
		Schema: db.RiverSchema, Logger: warnings(parts.Log), FetchPollInterval: jobPoll, CompletedJobRetentionPeriod: jobRetention,
		Queues: map[string]river.QueueConfig{
			retention.Queue: {MaxWorkers: 1}, knowledge.FileQueue: {MaxWorkers: 1}, integration.PurgeQueue: {MaxWorkers: 1},
			channel.Queue: {MaxWorkers: channelWorkers}, contact.Queue: {MaxWorkers: 1},
		},
		Workers:      workers,
		PeriodicJobs: append(retention.Schedule(), widget.SweepSchedule()),
	})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return client, nil
}

// runJobs works on jobs until ctx ends, then cancels those in progress: another
// process, or this one after a restart, runs them again.
func runJobs(ctx context.Context, jobs *river.Client[pgx.Tx], log *slog.Logger) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := jobs.Start(running); err != nil {
		log.ErrorContext(ctx, "job queue not started", "error", err)
		return
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobStopTimeout)
	defer cancel()
	if err := jobs.StopAndCancel(stopping); err != nil && !errors.Is(err, context.Canceled) {
		log.WarnContext(ctx, "job queue did not stop in time", "error", err)
	}
}

// reportProtections logs which protections isolate the reader process on this machine. It
// warns if the kernel lacks Landlock or seccomp.
func reportProtections(ctx context.Context, reader *extract.Runner, log *slog.Logger) {
	active, err := reader.Protections(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.ErrorContext(ctx, "reader process cannot be started", "error", err)
	case !active.Complete():
		log.WarnContext(ctx, "reader process is not fully isolated", "protections", active)
	default:
		log.InfoContext(ctx, "reader process is isolated", "protections", active)
	}
}
