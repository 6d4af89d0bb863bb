package knowledge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	maxAttempts = 5
	// lease is how long a worker has a job without a sign of life; a job whose worker
	// died is taken up when it has ended.
	lease     = 20 * time.Second
	heartbeat = 5 * time.Second
	// pendingGrace and processingGrace are how long a job is left to the queue, and to
	// its own retries, before it counts as forsaken.
	pendingGrace    = 45 * time.Second
	processingGrace = 5 * time.Second
	// TakeUpEvery is how often forsaken jobs are looked for.
	TakeUpEvery = 5 * time.Second
)

var errCancelled = errors.New("knowledge: the job was cancelled")

// Worker takes sources in. It is River's worker of Run.
type Worker struct {
	river.WorkerDefaults[Run]

	DB       *postgres.DB
	IDs      *id.Generator
	Events   *event.Recorder
	Clock    clock.Clock
	Blobs    blob.Store
	Guard    *egress.Guard
	Extract  *extract.Runner
	MaxPages int
	Log      *slog.Logger
}

// Timeout implements river.Worker: a job has no end but its own.
func (*Worker) Timeout(*river.Job[Run]) time.Duration { return -1 }

// Work implements river.Worker. A job that somebody is at, or that has ended, is left
// alone.
func (w *Worker) Work(ctx context.Context, queued *river.Job[Run]) error {
	args, now := queued.Args, w.Clock.Now()
	job, err := db.New().KnowledgeJobClaim(ctx, w.DB, db.KnowledgeJobClaimParams{
		WorkspaceID: args.WorkspaceID, ID: args.JobID, Now: now, Until: now.Add(lease),
	})
	if postgres.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("claim job: %w", err)
	}
	alive, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go w.beat(alive, job, stop)
	err = w.run(alive, job)
	switch {
	case err == nil || errors.Is(context.Cause(alive), errCancelled):
		return nil
	case ctx.Err() == nil && queued.Attempt >= maxAttempts:
		w.Log.ErrorContext(ctx, "knowledge job failed", "jobId", job.ID, "error", err)
		return w.end(ctx, job, &extract.Error{Code: extract.Code(api.KnowledgeJobErrorCodeInternalError), Message: "The server could not do it."}, nil)
	}
	// Given back: another takes it up where it is.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeat)
	defer cancel()
	if err := db.New().KnowledgeJobRelease(back, w.DB, db.KnowledgeJobReleaseParams{WorkspaceID: job.WorkspaceID, ID: job.ID, Now: w.Clock.Now()}); err != nil {
		w.Log.WarnContext(ctx, "knowledge job not given back", "jobId", job.ID, "error", err)
	}
	return err
}

// beat prolongs the lease while the job runs, and stops the job once it is cancelled.
func (w *Worker) beat(ctx context.Context, job db.KnowledgeJob, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		rows, err := db.New().KnowledgeJobProlong(ctx, w.DB, db.KnowledgeJobProlongParams{
			WorkspaceID: job.WorkspaceID, ID: job.ID, Until: w.Clock.Now().Add(lease),
		})
		if err == nil && rows == 0 {
			stop(errCancelled)
			return
		}
	}
}

func (w *Worker) run(ctx context.Context, job db.KnowledgeJob) error {
	if job.SourceID == nil {
		return w.end(ctx, job, &extract.Error{Code: extract.Corrupt, Message: "The source was deleted."}, nil)
	}
	source, err := db.New().KnowledgeSourceGet(ctx, w.DB, db.KnowledgeSourceGetParams{WorkspaceID: job.WorkspaceID, ID: *job.SourceID})
	if err != nil {
		return fmt.Errorf("source of job: %w", err)
	}
	if source.Type == api.KnowledgeTypeCRAWL {
		return w.crawl(ctx, job, source)
	}
	return w.upload(ctx, job, source)
}

// upload reads a file and indexes it.
func (w *Worker) upload(ctx context.Context, job db.KnowledgeJob, source db.KnowledgeSource) error {
	file, err := w.Blobs.Open(ctx, key(source.WorkspaceID, source.ID))
	if err != nil {
		return err
	}
	defer file.Close()
	document, err := w.Extract.Read(ctx, extract.Kind(*source.ContentType), file)
	if blame, ok := errors.AsType[*extract.Error](err); ok {
		return w.end(ctx, job, blame, func(ctx context.Context, tx postgres.Tx) error {
			return endPage(ctx, tx, job, *job.FileName, pageFailed, blame.Message)
		})
	} else if err != nil {
		return err
	}
	indexed := w.index(*job.FileName, source.Sha256, document)
	return w.end(ctx, job, nil, func(ctx context.Context, tx postgres.Tx) error {
		if err := indexed.storeAlone(ctx, tx, job, source); err != nil {
			return err
		}
		return endPage(ctx, tx, job, *job.FileName, pageDone, "")
	})
}

// end ends a job, with what else belongs to that and the event, in one transaction.
// Where it was cancelled meanwhile, nothing is done.
func (w *Worker) end(ctx context.Context, job db.KnowledgeJob, blame *extract.Error, also func(context.Context, postgres.Tx) error) error {
	return postgres.WithTx(ctx, w.DB, func(ctx context.Context, tx postgres.Tx) error {
		now := w.Clock.Now()
		params := db.KnowledgeJobEndParams{WorkspaceID: job.WorkspaceID, ID: job.ID, Status: api.KnowledgeJobStatusCOMPLETED, Now: now}
		if blame != nil {
			code := api.KnowledgeJobErrorCode(blame.Code)
			params.Status, params.ErrorCode, params.ErrorMessage = api.KnowledgeJobStatusFAILED, &code, &blame.Message
		}
		row, err := db.New().KnowledgeJobEnd(ctx, tx, params)
		if postgres.IsNotFound(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("end job: %w", err)
		}
		if also != nil {
			if err := also(ctx, tx); err != nil {
				return err
			}
		}
		if row.SourceID != nil {
			err := db.New().KnowledgeSourceRecount(ctx, tx, db.KnowledgeSourceRecountParams{WorkspaceID: row.WorkspaceID, ID: *row.SourceID, UpdatedAt: now})
			if err != nil {
				return fmt.Errorf("count passages: %w", err)
			}
		}
		jobs, err := withPages(ctx, tx, row.WorkspaceID, []db.KnowledgeJob{row})
		if err != nil {
			return err
		}
		return w.Events.Record(ctx, tx, row.WorkspaceID, now, JobEnded{Job: jobs[0]})
	})
}

func endPage(ctx context.Context, tx postgres.Tx, job db.KnowledgeJob, address, state, reason string) error {
	params := db.KnowledgePageEndParams{WorkspaceID: job.WorkspaceID, JobID: job.ID, URL: address, State: state}
	if reason != "" {
		params.Reason = &reason
	}
	if err := db.New().KnowledgePageEnd(ctx, tx, params); err != nil {
		return fmt.Errorf("end page: %w", err)
	}
	return nil
}

// Schedule says when to look for forsaken jobs.
func Schedule() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(TakeUpEvery), func() (river.JobArgs, *river.InsertOpts) {
		return TakeUp{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: TakeUpEvery}}
	}, nil)}
}

// TakeUp is the periodic job that queues forsaken jobs anew.
type TakeUp struct{}

// Kind names the job in the queue.
func (TakeUp) Kind() string { return "knowledge_take_up" }

// InsertOpts says how it is queued.
func (TakeUp) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue, MaxAttempts: 1} }

// TakeUpWorker queues the jobs that no worker is at: theirs has died.
type TakeUpWorker struct {
	river.WorkerDefaults[TakeUp]

	DB    *postgres.DB
	Clock clock.Clock
}

// Work implements river.Worker.
func (w *TakeUpWorker) Work(ctx context.Context, _ *river.Job[TakeUp]) error {
	jobs := river.ClientFromContext[pgx.Tx](ctx)
	return postgres.WithTx(ctx, w.DB, func(ctx context.Context, tx postgres.Tx) error {
		now := w.Clock.Now()
		rows, err := db.New().SystemKnowledgeJobTakeUp(ctx, tx, db.SystemKnowledgeJobTakeUpParams{
			Now: now, PendingBefore: now.Add(-pendingGrace), ProcessingBefore: now.Add(-processingGrace),
		})
		if err != nil {
			return fmt.Errorf("forsaken jobs: %w", err)
		}
		for _, row := range rows {
			// A second job of the same does no harm: only one has the lease.
			if _, err := jobs.InsertTx(ctx, tx, Run{WorkspaceID: row.WorkspaceID, JobID: row.ID}, nil); err != nil {
				return fmt.Errorf("queue forsaken job: %w", err)
			}
		}
		return nil
	})
}
