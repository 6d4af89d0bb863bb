package knowledge_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/testing/reader"
	"github.com/avelto/convo/internal/testing/seed"
)

// queued records the jobs that are inserted, or fails with err.
type queued struct {
	mu    sync.Mutex
	files []knowledge.DeleteFile
	err   error
}

// InsertTx implements knowledge.Jobs.
func (q *queued) InsertTx(_ context.Context, _ pgx.Tx, args river.JobArgs, _ *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return nil, q.err
	}
	if file, ok := args.(knowledge.DeleteFile); ok {
		q.files = append(q.files, file)
	}
	return &rivertype.JobInsertResult{}, nil
}

// shelf is a service and a worker without a server or a queue: tests run each job.
type shelf struct {
	*seed.World

	service *knowledge.Service
	worker  *knowledge.Worker
	queue   *queued
	blobs   blob.Store
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	w := seed.New(t)
	blobs, err := blob.Directory(t.TempDir())
	require.NoError(t, err)
	s, guard := &shelf{World: w, queue: &queued{}, blobs: blobs}, egress.NewGuard(nil)
	s.service = &knowledge.Service{
		DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Blobs: blobs, Guard: guard, Jobs: s.queue, Log: slog.New(slog.DiscardHandler), MaxUploads: 100, MaxCrawls: 100,
	}
	program, err := reader.Path()
	require.NoError(t, err)
	s.worker = &knowledge.Worker{
		DB: w.DB, IDs: w.IDs, Clock: w.Clock, Blobs: blobs, Guard: guard, Extract: &extract.Runner{Binary: program}, MaxPages: 10, Events: w.Recorder, Log: slog.New(slog.DiscardHandler),
	}
	return s
}

// upload accepts a text file and returns its job, which is not run yet.
func (s *shelf) upload(t *testing.T, space uuid.UUID, name, text string) knowledge.Job {
	t.Helper()
	staged, err := s.service.Stage(t.Context(), space, knowledge.Upload{Kind: extract.Markdown, Name: name, Size: int64(len(text)), Body: strings.NewReader(text)})
	require.NoError(t, err)
	job, err := s.service.Accept(t.Context(), s.DB, staged)
	require.NoError(t, err)
	return job
}

// pool returns the pool of a type.
func (s *shelf) pool(kind api.KnowledgeType, share int) *knowledge.Pool {
	return &knowledge.Pool{Worker: s.worker, Type: kind, Size: 10, Share: share, Wake: wake.NewSignal(), Poll: time.Second}
}

// claim leases up to limit jobs.
func (s *shelf) claim(t *testing.T, kind api.KnowledgeType, share, limit int) []db.KnowledgeJob {
	t.Helper()
	jobs, err := s.pool(kind, share).Claim(t.Context(), limit)
	require.NoError(t, err)
	return jobs
}

// work runs the jobs that can be claimed, and returns how many there were.
func (s *shelf) work(t *testing.T) int {
	t.Helper()
	jobs := append(s.claim(t, api.KnowledgeTypeUPLOAD, 10, 10), s.claim(t, api.KnowledgeTypeCRAWL, 10, 10)...)
	for _, job := range jobs {
		s.worker.Work(t.Context(), job)
	}
	return len(jobs)
}

// deleteFiles runs the queued jobs that delete files.
func (s *shelf) deleteFiles(t *testing.T) {
	t.Helper()
	worker := &knowledge.DeleteFileWorker{Blobs: s.blobs}
	for _, args := range s.queue.files {
		require.NoError(t, worker.Work(t.Context(), &river.Job[knowledge.DeleteFile]{JobRow: &rivertype.JobRow{}, Args: args}))
	}
}

// ingest uploads a text file and runs its job.
func (s *shelf) ingest(t *testing.T, space uuid.UUID, name, text string) uuid.UUID {
	t.Helper()
	job := s.upload(t, space, name, text)
	require.Equal(t, 1, s.work(t))
	done := s.job(t, job)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, done.Status)
	return *done.SourceID
}

func (s *shelf) job(t *testing.T, job knowledge.Job) knowledge.Job {
	t.Helper()
	found, err := s.service.Job(t.Context(), job.WorkspaceID, job.ID)
	require.NoError(t, err)
	return found
}

func (s *shelf) stored(t *testing.T, space, source uuid.UUID) bool {
	t.Helper()
	file, err := s.blobs.Open(t.Context(), space.String()+"/"+source.String())
	if errors.Is(err, blob.ErrNotFound) {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return true
}
