// Package knowledge holds the rules of the knowledge base: files and sites that
// agents answer from, the jobs that ingest them, and the search.
package knowledge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/platform/weburl"
)

// ErrJobFinished means that a job has ended and can no longer be canceled.
var ErrJobFinished = errors.New("knowledge: job has finished")

// ErrEmptyFile means that an upload has no bytes.
var ErrEmptyFile = errors.New("knowledge: empty file")

// InvalidURLError means that a URL must not be crawled. Reason completes the sentence
// "url …".
type InvalidURLError struct{ Reason string }

// Error implements error.
func (e *InvalidURLError) Error() string { return "knowledge: url " + e.Reason }

// TooManyJobsError means that a workspace has as many unfinished jobs of a type as it may
// have.
type TooManyJobsError struct {
	Type api.KnowledgeType
	Max  int
}

// Error implements error.
func (e *TooManyJobsError) Error() string {
	return fmt.Sprintf("knowledge: %d unfinished jobs of type %s", e.Max, e.Type)
}

// WrongTypeError means that the content of an upload is not of its declared type.
type WrongTypeError struct{ Kind extract.Kind }

// Error implements error.
func (e *WrongTypeError) Error() string { return "knowledge: content is not " + string(e.Kind) }

// Jobs inserts River jobs in a transaction. *river.Client implements it.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Service reads and changes the knowledge base.
type Service struct {
	DB    *postgres.DB
	IDs   *id.Generator
	Clock clock.Clock
	Pages *page.Codec
	Blobs blob.Store
	Guard *egress.Guard
	Jobs  Jobs
	Log   *slog.Logger
	// Bell wakes the pools when a job is created.
	Bell *wake.Bell
	// MaxUploads and MaxCrawls are how many unfinished jobs of a type a workspace may have.
	MaxUploads, MaxCrawls int
}

// Crawl creates a source for a site and the job that reads it to a depth of links. It fails with
// *InvalidURLError and *TooManyJobsError.
func (s *Service) Crawl(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, address string, depth int32) (job Job, err error) {
	if reason := s.Guard.CheckPage(address); reason != "" {
		return job, &InvalidURLError{Reason: reason}
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return job, fmt.Errorf("checked address: %w", err)
	}
	start, ok := weburl.Canonical(parsed)
	if !ok {
		return job, &InvalidURLError{Reason: fmt.Sprintf("must have at most %d characters once it is percent-encoded", weburl.Max)}
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		sourceID, now := s.IDs.New()
		source, err := db.New().KnowledgeSourceCreate(ctx, tx, db.KnowledgeSourceCreateParams{
			WorkspaceID: workspaceID, ID: sourceID, Kind: api.KnowledgeTypeCRAWL, URL: &start, Depth: &depth, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("create source: %w", err)
		}
		job, err = s.begin(ctx, tx, source, false)
		return err
	})
	return job, err
}

// CheckJobs fails with *TooManyJobsError if a workspace has as many unfinished jobs of a type
// as it may have. Requests at the same moment may exceed that by one job each.
func (s *Service) CheckJobs(ctx context.Context, on db.DBTX, workspaceID uuid.UUID, kind api.KnowledgeType) error {
	limit := s.MaxUploads
	if kind == api.KnowledgeTypeCRAWL {
		limit = s.MaxCrawls
	}
	open, err := db.New().KnowledgeJobCountOpen(ctx, on, db.KnowledgeJobCountOpenParams{WorkspaceID: workspaceID, Kind: kind, MaxJobs: int32(limit)})
	if err != nil {
		return fmt.Errorf("count unfinished jobs: %w", err)
	}
	if int(open) >= limit {
		return &TooManyJobsError{Type: kind, Max: limit}
	}
	return nil
}

// begin creates a job for a source. It fails with *TooManyJobsError.
func (s *Service) begin(ctx context.Context, tx postgres.Tx, source db.KnowledgeSource, refresh bool) (Job, error) {
	if err := s.CheckJobs(ctx, tx, source.WorkspaceID, source.Type); err != nil {
		return Job{}, err
	}
	jobID, now := s.IDs.New()
	row, err := db.New().KnowledgeJobCreate(ctx, tx, db.KnowledgeJobCreateParams{
		WorkspaceID: source.WorkspaceID, ID: jobID, SourceID: source.ID, Kind: source.Type, FileName: source.FileName, URL: source.URL,
		Refresh: refresh, CreatedAt: now,
	})
	if err != nil {
		return Job{}, fmt.Errorf("create job: %w", err)
	}
	first := source.URL
	if first == nil {
		first = source.FileName
	}
	err = db.New().KnowledgePageAdd(ctx, tx, db.KnowledgePageAddParams{WorkspaceID: source.WorkspaceID, JobID: jobID, URLs: []string{*first}})
	if err != nil {
		return Job{}, fmt.Errorf("add page: %w", err)
	}
	s.Bell.Ring(tx, wake.Knowledge)
	return Job{KnowledgeJob: row, Found: 1}, nil
}

// ListSources returns a page of sources, latest first, or page.ErrInvalidCursor.
func (s *Service) ListSources(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.KnowledgeSource], error) {
	list := page.List{Workspace: workspaceID, Name: "knowledge-sources"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.KnowledgeSource, error) {
		return db.New().KnowledgeSourceList(ctx, s.DB, db.KnowledgeSourceListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(row db.KnowledgeSource) uuid.UUID { return row.ID })
}

// DeleteSource deletes a source, cancels its job, and queues the deletion of its file. Its
// index is no longer found, and is deleted in batches by package retention. It fails with
// postgres.ErrNotFound.
func (s *Service) DeleteSource(ctx context.Context, on postgres.Conn, workspaceID, sourceID uuid.UUID) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if err := s.deleteSource(ctx, tx, workspaceID, sourceID); err != nil {
			return err
		}
		// Afterwards, since a refresh that has the source's lock may create a job.
		err := db.New().KnowledgeJobCancelBySource(ctx, tx, db.KnowledgeJobCancelBySourceParams{
			WorkspaceID: workspaceID, SourceID: sourceID, Now: s.Clock.Now(),
		})
		if err != nil {
			return fmt.Errorf("cancel jobs: %w", err)
		}
		return nil
	})
}

// Refresh ingests a source again. If a job is in progress, it returns that job. It fails
// with postgres.ErrNotFound and *TooManyJobsError.
func (s *Service) Refresh(ctx context.Context, on postgres.Conn, workspaceID, sourceID uuid.UUID) (job Job, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		source, err := db.New().KnowledgeSourceLock(ctx, tx, db.KnowledgeSourceLockParams{WorkspaceID: workspaceID, ID: sourceID})
		if err := postgres.Found("get source", err); err != nil {
			return err
		}
		latest, err := s.latest(ctx, tx, source)
		if err != nil {
			return err
		}
		if latest.open() {
			job = latest
			return nil
		}
		job, err = s.begin(ctx, tx, source, true)
		return err
	})
	return job, err
}

// latest returns the latest job of a source; the zero Job if it has none.
func (s *Service) latest(ctx context.Context, tx postgres.Tx, source db.KnowledgeSource) (Job, error) {
	row, err := db.New().KnowledgeJobLatest(ctx, tx, db.KnowledgeJobLatestParams{WorkspaceID: source.WorkspaceID, SourceID: source.ID})
	if postgres.IsNotFound(err) {
		return Job{}, nil
	} else if err != nil {
		return Job{}, fmt.Errorf("latest job: %w", err)
	}
	jobs, err := withPages(ctx, tx, source.WorkspaceID, []db.KnowledgeJob{row})
	if err != nil {
		return Job{}, err
	}
	return jobs[0], nil
}
