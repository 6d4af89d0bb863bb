package knowledge_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

// before is a transaction that calls a function before a statement of some name.
type before struct {
	pgx.Tx

	name string
	call func()
}

// QueryRow implements pgx.Tx.
func (b before) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if strings.Contains(sql, "-- name: "+b.name+" ") {
		b.call()
	}
	return b.Tx.QueryRow(ctx, sql, args...)
}

// unqueued accepts jobs that no worker runs.
type unqueued struct{}

// InsertTx implements knowledge.Jobs.
func (unqueued) InsertTx(context.Context, pgx.Tx, river.JobArgs, *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	return &rivertype.JobInsertResult{}, nil
}

// accepting is a service and a workspace with one source.
type accepting struct {
	*knowledge.Service

	space uuid.UUID
	first knowledge.Job
}

func newAccepting(t *testing.T) *accepting {
	t.Helper()
	on, now := testdb.New(t), clock.NewFake(time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC))
	ids := id.NewGenerator(now)
	space, err := (&workspace.Service{DB: on, IDs: ids}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	files, err := blob.Directory(t.TempDir())
	require.NoError(t, err)
	a := &accepting{
		Service: &knowledge.Service{DB: on, IDs: ids, Clock: now, Blobs: files, Jobs: unqueued{}, Log: slog.New(slog.DiscardHandler), MaxUploads: 100},
		space:   space.ID,
	}
	a.first, err = a.Accept(t.Context(), on, a.stage(t))
	require.NoError(t, err)
	return a
}

func (a *accepting) stage(t *testing.T) *knowledge.Staged {
	t.Helper()
	staged, err := a.Stage(t.Context(), a.space, knowledge.Upload{Kind: extract.Text, Name: "a.txt", Size: -1, Body: strings.NewReader(returnsText)})
	require.NoError(t, err)
	return staged
}

// acceptAgain accepts the same bytes, and calls a function before a statement.
func (a *accepting) acceptAgain(t *testing.T, statement string, call func()) (*knowledge.Staged, knowledge.Job) {
	t.Helper()
	staged := a.stage(t)
	var job knowledge.Job
	require.NoError(t, postgres.WithTx(t.Context(), a.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
		job, err = a.Accept(ctx, postgres.Tx{Tx: before{tx.Tx, statement, call}}, staged)
		return err
	}))
	return staged, job
}

func TestUploadOfBytesWhoseSourceIsDeletedMeanwhileIsAccepted(t *testing.T) {
	t.Parallel()
	a := newAccepting(t)
	staged, job := a.acceptAgain(t, "KnowledgeSourceLockBySHA256", func() {
		require.NoError(t, a.DeleteSource(t.Context(), a.DB, a.space, *a.first.SourceID))
	})
	require.True(t, staged.Used(job), "the file is a new source")
	file, err := a.Blobs.Open(t.Context(), a.space.String()+"/"+job.SourceID.String())
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, errors.Join(err, file.Close()))
	require.Equal(t, returnsText, string(content))
}

func TestSourceIsKeptWhileAnUploadOfItsBytesIsAccepted(t *testing.T) {
	t.Parallel()
	a := newAccepting(t)
	_, err := a.DB.Exec(t.Context(), "UPDATE knowledge_jobs SET status = 'FAILED', finished_at = created_at")
	require.NoError(t, err)
	var refused error
	staged, job := a.acceptAgain(t, "KnowledgeJobCreate", func() {
		_, refused = a.DB.Exec(t.Context(), "SELECT 1 FROM knowledge_sources FOR UPDATE NOWAIT")
	})
	locked, ok := errors.AsType[*pgconn.PgError](refused)
	require.True(t, ok, "a deletion has to wait: %v", refused)
	require.Equal(t, "55P03", locked.Code)
	require.False(t, staged.Used(job))
	require.Equal(t, a.first.SourceID, job.SourceID)
}

// unreliable fails to delete files.
type unreliable struct{ blob.Store }

// Delete implements blob.Store.
func (unreliable) Delete(context.Context, string) error { return errors.New("unavailable") }

func TestFailureToDeleteAFileDoesNotUndoACommittedChange(t *testing.T) {
	t.Parallel()
	a := newAccepting(t)
	var log strings.Builder
	a.Blobs, a.Log = unreliable{a.Blobs}, slog.New(slog.NewTextHandler(&log, nil))
	a.Discard(t.Context(), a.stage(t))
	require.NoError(t, a.DeleteSource(t.Context(), a.DB, a.space, *a.first.SourceID))
	require.Equal(t, 1, strings.Count(log.String(), "orphaned file not deleted"), "the staged file: the source's file is deleted by a job")
	worker := &knowledge.DeleteFileWorker{Blobs: a.Blobs}
	args := knowledge.DeleteFile{WorkspaceID: a.space, SourceID: *a.first.SourceID}
	require.Error(t, worker.Work(t.Context(), &river.Job[knowledge.DeleteFile]{Args: args}), "the queue retries it")
	require.ErrorIs(t, a.DeleteSource(t.Context(), a.DB, a.space, *a.first.SourceID), postgres.ErrNotFound)
}
