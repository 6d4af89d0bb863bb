package knowledge

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// States of a page.
const (
	pageDone    = "DONE"
	pageSkipped = "SKIPPED"
	pageFailed  = "FAILED"
)

// maxFailures is how many failed pages of a job are returned.
const maxFailures = 100

// Job is a job with the outcome of its pages.
type Job struct {
	db.KnowledgeJob

	Found, Done, Skipped, Failed int64
	Failures                     []db.KnowledgePageFailuresRow
}

// JobEnded is the event knowledge.job.completed or knowledge.job.failed.
type JobEnded struct{ Job Job }

// EventType implements event.Payload.
func (e JobEnded) EventType() api.EventType {
	if e.Job.Status == api.KnowledgeJobStatusFAILED {
		return api.EventTypeKnowledgeJobFailed
	}
	return api.EventTypeKnowledgeJobCompleted
}

// open reports whether the job has not ended.
func (j Job) open() bool {
	return j.Status == api.KnowledgeJobStatusPENDING || j.Status == api.KnowledgeJobStatusPROCESSING
}

// Job returns a job, or postgres.ErrNotFound.
func (s *Service) Job(ctx context.Context, workspaceID, jobID uuid.UUID) (Job, error) {
	row, err := db.New().KnowledgeJobGet(ctx, s.DB, db.KnowledgeJobGetParams{WorkspaceID: workspaceID, ID: jobID})
	if err := postgres.Found("get job", err); err != nil {
		return Job{}, err
	}
	jobs, err := withPages(ctx, s.DB, workspaceID, []db.KnowledgeJob{row})
	if err != nil {
		return Job{}, err
	}
	return jobs[0], nil
}

// ListJobs returns a page of jobs, latest first, or page.ErrInvalidCursor.
func (s *Service) ListJobs(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[Job], error) {
	list := page.List{Workspace: workspaceID, Name: "knowledge-jobs"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]Job, error) {
		rows, err := db.New().KnowledgeJobList(ctx, s.DB, db.KnowledgeJobListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
		if err != nil {
			return nil, err
		}
		return withPages(ctx, s.DB, workspaceID, rows)
	}, func(job Job) uuid.UUID { return job.ID })
}

// withPages adds the outcome of their pages to jobs.
func withPages(ctx context.Context, on db.DBTX, workspaceID uuid.UUID, rows []db.KnowledgeJob) ([]Job, error) {
	jobs, at := make([]Job, len(rows)), map[uuid.UUID]*Job{}
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		jobs[i], ids[i] = Job{KnowledgeJob: row}, row.ID
		at[row.ID] = &jobs[i]
	}
	counts, err := db.New().KnowledgePageCounts(ctx, on, db.KnowledgePageCountsParams{WorkspaceID: workspaceID, JobIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("count pages: %w", err)
	}
	for _, one := range counts {
		job := at[one.JobID]
		job.Found += one.Pages
		switch one.State {
		case pageDone:
			job.Done = one.Pages
		case pageSkipped:
			job.Skipped = one.Pages
		case pageFailed:
			job.Failed = one.Pages
		}
	}
	failures, err := db.New().KnowledgePageFailures(ctx, on, db.KnowledgePageFailuresParams{WorkspaceID: workspaceID, JobIDs: ids, Most: maxFailures})
	if err != nil {
		return nil, fmt.Errorf("failed pages: %w", err)
	}
	for _, one := range failures {
		at[one.JobID].Failures = append(at[one.JobID].Failures, one)
	}
	return jobs, withoutDeleted(ctx, on, workspaceID, jobs)
}

// withoutDeleted removes references to deleted sources from jobs.
func withoutDeleted(ctx context.Context, on db.DBTX, workspaceID uuid.UUID, jobs []Job) error {
	var sources []uuid.UUID
	for _, job := range jobs {
		if job.SourceID != nil {
			sources = append(sources, *job.SourceID)
		}
	}
	if len(sources) == 0 {
		return nil
	}
	deleted, err := db.New().KnowledgeSourceListDeleted(ctx, on, db.KnowledgeSourceListDeletedParams{WorkspaceID: workspaceID, IDs: sources})
	if err != nil {
		return fmt.Errorf("deleted sources: %w", err)
	}
	for i, job := range jobs {
		if job.SourceID != nil && slices.Contains(deleted, *job.SourceID) {
			jobs[i].SourceID = nil
		}
	}
	return nil
}

// Cancel stops a job that has not ended. Canceling the first job of a source deletes the
// source; canceling a refresh keeps the index. It fails with postgres.ErrNotFound and
// ErrJobFinished.
func (s *Service) Cancel(ctx context.Context, on postgres.Conn, workspaceID, jobID uuid.UUID) (job Job, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		row, err := db.New().KnowledgeJobEnd(ctx, tx, db.KnowledgeJobEndParams{
			WorkspaceID: workspaceID, ID: jobID, Status: api.KnowledgeJobStatusCANCELLED, Now: s.Clock.Now(),
		})
		if postgres.IsNotFound(err) {
			if _, err := db.New().KnowledgeJobGet(ctx, tx, db.KnowledgeJobGetParams{WorkspaceID: workspaceID, ID: jobID}); err != nil {
				return postgres.Found("get job", err)
			}
			return ErrJobFinished
		} else if err != nil {
			return fmt.Errorf("cancel job: %w", err)
		}
		dropped, err := s.dropSource(ctx, tx, row)
		if err != nil {
			return err
		}
		if dropped {
			row.SourceID = nil
		}
		jobs, err := withPages(ctx, tx, workspaceID, []db.KnowledgeJob{row})
		if err != nil {
			return err
		}
		job = jobs[0]
		return nil
	})
	return job, err
}

// dropSource deletes the source that a cancelled job was the first to ingest. It keeps a
// source that a later job ingests, and returns false.
func (s *Service) dropSource(ctx context.Context, tx postgres.Tx, cancelled db.KnowledgeJob) (dropped bool, err error) {
	if cancelled.SourceID == nil || cancelled.Refresh {
		return false, nil
	}
	source, err := db.New().KnowledgeSourceLock(ctx, tx, db.KnowledgeSourceLockParams{WorkspaceID: cancelled.WorkspaceID, ID: *cancelled.SourceID})
	if err != nil {
		return false, fmt.Errorf("lock source: %w", err)
	}
	latest, err := s.latest(ctx, tx, source)
	if err != nil || latest.ID != cancelled.ID {
		return false, err
	}
	return true, s.deleteSource(ctx, tx, source.WorkspaceID, source.ID)
}
