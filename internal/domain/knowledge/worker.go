package knowledge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
	// maxErrors is after how many errors of the server in a row a job fails.
	maxErrors = 5
	// lease is how long a job belongs to a worker that stops renewing it. Afterwards the job
	// is orphaned and resumed by another worker.
	lease     = 20 * time.Second
	heartbeat = 5 * time.Second
	// turnTime is how long a crawl runs while others may be waiting.
	turnTime = 15 * time.Second
)

var errCancelled = errors.New("knowledge: the job was cancelled")

// Worker ingests sources.
type Worker struct {
	DB       *postgres.DB
	IDs      *id.Generator
	Events   *event.Recorder
	Clock    clock.Clock
	Blobs    blob.Store
	Guard    *egress.Guard
	Extract  *extract.Runner
	MaxPages int
	Log      *slog.Logger

	sites sites
}

// turn says how a worker left a job: ended, or to be continued after a wait.
type turn struct {
	ended bool
	wait  time.Duration
}

// Work runs a claimed job: an upload to its end, a crawl for a turn. A job that does not end
// is released.
func (w *Worker) Work(ctx context.Context, job db.KnowledgeJob) {
	alive, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go w.beat(alive, job, stop)
	left, err := w.run(alive, job)
	switch {
	case errors.Is(context.Cause(alive), errCancelled), err == nil && left.ended:
	case err == nil:
		w.release(ctx, job, left.wait, 0)
	case ctx.Err() != nil:
		w.release(ctx, job, 0, job.Failures)
	default:
		w.retry(ctx, job, err)
	}
}

// retry releases a job after an error of the server, or fails it after the last one.
func (w *Worker) retry(ctx context.Context, job db.KnowledgeJob, cause error) {
	failures := job.Failures + 1
	w.Log.ErrorContext(ctx, "knowledge job failed", "jobId", job.ID, "failures", failures, "error", cause)
	if failures < maxErrors {
		w.release(ctx, job, backoff(failures), failures)
		return
	}
	err := w.end(ctx, job, &extract.Error{Code: extract.Code(api.KnowledgeJobErrorCodeInternalError), Message: "The server failed to process the source."}, nil)
	if err != nil {
		w.Log.ErrorContext(ctx, "knowledge job not ended", "jobId", job.ID, "error", err)
	}
}

// backoff returns the wait after a failure: 1, 4, 9 and 16 seconds.
func backoff(failures int32) time.Duration { return time.Duration(failures*failures) * time.Second }

// release gives a job back: a worker can claim it after a wait. If that fails, the lease
// expires.
func (w *Worker) release(ctx context.Context, job db.KnowledgeJob, wait time.Duration, failures int32) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), heartbeat)
	defer cancel()
	now := w.Clock.Now()
	err := db.New().KnowledgeJobRelease(ctx, w.DB, db.KnowledgeJobReleaseParams{
		WorkspaceID: job.WorkspaceID, ID: job.ID, Now: now, AvailableAt: now.Add(wait), Failures: failures,
	})
	if err != nil {
		w.Log.WarnContext(ctx, "knowledge job not released", "jobId", job.ID, "error", err)
	}
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

func (w *Worker) run(ctx context.Context, job db.KnowledgeJob) (turn, error) {
	if job.SourceID == nil {
		return w.endWithoutSource(ctx, job)
	}
	source, err := db.New().KnowledgeSourceGet(ctx, w.DB, db.KnowledgeSourceGetParams{WorkspaceID: job.WorkspaceID, ID: *job.SourceID})
	if postgres.IsNotFound(err) {
		return w.endWithoutSource(ctx, job)
	} else if err != nil {
		return turn{}, fmt.Errorf("source of job: %w", err)
	}
	if source.Type == api.KnowledgeTypeCRAWL {
		return w.crawl(ctx, job, source)
	}
	return turn{ended: true}, w.upload(ctx, job, source)
}

func (w *Worker) endWithoutSource(ctx context.Context, job db.KnowledgeJob) (turn, error) {
	return turn{ended: true}, w.end(ctx, job, &extract.Error{Code: extract.Corrupt, Message: "The source was deleted."}, nil)
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
