package knowledge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	api "github.com/avelto/convo/gen/api/model"
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
	// lease is how long a job belongs to a worker that stops renewing it. Afterwards the job
	// is orphaned and resumed by another worker.
	lease     = 20 * time.Second
	heartbeat = 5 * time.Second
	// pendingGrace and processingGrace are how long a job may wait in the queue, or for its
	// own retries, before it is considered orphaned.
	pendingGrace    = 45 * time.Second
	processingGrace = 5 * time.Second
	// RequeueInterval is how often orphaned jobs are looked up.
	RequeueInterval = 5 * time.Second
)

var errCancelled = errors.New("knowledge: the job was cancelled")

// Worker ingests sources. It is River's worker for Run.
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

// Timeout implements river.Worker: a job has no overall timeout.
func (*Worker) Timeout(*river.Job[Run]) time.Duration { return -1 }

// Work implements river.Worker. It does nothing for a job that another worker has leased,
// or that has ended.
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
		return w.end(ctx, job, &extract.Error{Code: extract.Code(api.KnowledgeJobErrorCodeInternalError), Message: "The server failed to process the source."}, nil)
	}
	// Released: another worker resumes it.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeat)
	defer cancel()
	if err := db.New().KnowledgeJobRelease(back, w.DB, db.KnowledgeJobReleaseParams{WorkspaceID: job.WorkspaceID, ID: job.ID, Now: w.Clock.Now()}); err != nil {
		w.Log.WarnContext(ctx, "knowledge job not given back", "jobId", job.ID, "error", err)
	}
	return err
}

// beat renews the lease while the job runs, and stops the job once it is canceled.
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
	index, err := w.Extract.Read(ctx, extract.Kind(*source.ContentType), file)
	if blame, ok := errors.AsType[*extract.Error](err); ok {
		return w.end(ctx, job, blame, func(ctx context.Context, tx postgres.Tx) error {
			return endPage(ctx, tx, job, *job.FileName, pageFailed, blame.Message)
		})
	} else if err != nil {
		return err
	}
	indexed := indexed{ids: w.IDs, url: *job.FileName, hash: source.Sha256, passages: index.Passages}
	return w.end(ctx, job, nil, func(ctx context.Context, tx postgres.Tx) error {
		if err := indexed.storeAlone(ctx, tx, job, source); err != nil {
			return err
		}
		return endPage(ctx, tx, job, *job.FileName, pageDone, "")
	})
}

// end ends a job in one transaction with its event and the changes in also. It does
// nothing if the job has been canceled in the meantime.
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

// Schedule is when orphaned jobs are looked up.
func Schedule() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(RequeueInterval), func() (river.JobArgs, *river.InsertOpts) {
		return Requeue{}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByPeriod: RequeueInterval}}
	}, nil)}
}

// Requeue is the periodic job that queues orphaned jobs again.
type Requeue struct{}

// Kind names the job in the queue.
func (Requeue) Kind() string { return "knowledge_requeue" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Requeue) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue, MaxAttempts: 1} }

// RequeueWorker queues jobs whose worker has died.
type RequeueWorker struct {
	river.WorkerDefaults[Requeue]

	DB    *postgres.DB
	Clock clock.Clock
}

// Work implements river.Worker.
func (w *RequeueWorker) Work(ctx context.Context, _ *river.Job[Requeue]) error {
	jobs := river.ClientFromContext[pgx.Tx](ctx)
	return postgres.WithTx(ctx, w.DB, func(ctx context.Context, tx postgres.Tx) error {
		now := w.Clock.Now()
		rows, err := db.New().SystemKnowledgeJobListOrphaned(ctx, tx, db.SystemKnowledgeJobListOrphanedParams{
			Now: now, PendingBefore: now.Add(-pendingGrace), ProcessingBefore: now.Add(-processingGrace),
		})
		if err != nil {
			return fmt.Errorf("orphaned jobs: %w", err)
		}
		for _, row := range rows {
			// A duplicate does no harm: only one worker gets the lease.
			if _, err := jobs.InsertTx(ctx, tx, Run{WorkspaceID: row.WorkspaceID, JobID: row.ID}, nil); err != nil {
				return fmt.Errorf("queue orphaned job: %w", err)
			}
		}
		return nil
	})
}
