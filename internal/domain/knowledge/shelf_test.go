package knowledge_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/seed"
)

// queued records the jobs that are inserted, or fails with err.
type queued struct {
	mu    sync.Mutex
	runs  []knowledge.Run
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
	switch args := args.(type) {
	case knowledge.Run:
		q.runs = append(q.runs, args)
	case knowledge.DeleteFile:
		q.files = append(q.files, args)
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
	s.service = &knowledge.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Blobs: blobs, Guard: guard, Jobs: s.queue, Log: slog.New(slog.DiscardHandler)}
	s.worker = &knowledge.Worker{
		DB: w.DB, IDs: w.IDs, Clock: w.Clock, Blobs: blobs, Guard: guard, Extract: &extract.Runner{}, MaxPages: 10, Events: w.Recorder, Log: slog.New(slog.DiscardHandler),
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

func (s *shelf) work(t *testing.T, job knowledge.Job, attempt int) error {
	t.Helper()
	args := knowledge.Run{WorkspaceID: job.WorkspaceID, JobID: job.ID}
	return s.worker.Work(t.Context(), &river.Job[knowledge.Run]{JobRow: &rivertype.JobRow{Attempt: attempt}, Args: args})
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
	require.NoError(t, s.work(t, job, 1))
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
