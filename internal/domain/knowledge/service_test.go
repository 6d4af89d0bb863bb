package knowledge_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/extract"
	paging "github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestAJobRunsOnceFromPendingToCompleted(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	job := s.upload(t, s.Ours, "returns.md", "# Returns\n\nShoes can be returned within thirty days.")
	require.Equal(t, api.KnowledgeJobStatusPENDING, job.Status)
	s.Clock.Advance(time.Minute)
	require.Equal(t, 1, s.work(t))
	done := s.job(t, job)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, done.Status)
	require.Equal(t, [4]int64{1, 1, 0, 0}, [4]int64{done.Found, done.Done, done.Skipped, done.Failed})
	require.Equal(t, seed.Start.Add(time.Minute), done.FinishedAt.UTC())
	require.Nil(t, done.LeasedUntil)
	s.Clock.Advance(time.Minute)
	require.Zero(t, s.work(t))
	require.Equal(t, done, s.job(t, job))
	require.Len(t, s.Events(t, s.Ours), 1)
	require.Equal(t, 1, s.Count(t, "SELECT count(*) FROM knowledge_chunks"))
	_, err := s.service.Cancel(t.Context(), s.DB, s.Ours, job.ID)
	require.ErrorIs(t, err, knowledge.ErrJobFinished)
	require.Equal(t, done, s.job(t, job))
}

// TestALeasedJobBelongsToItsWorker claims a job as a worker that then dies.
func TestALeasedJobBelongsToItsWorker(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	job := s.upload(t, s.Ours, "a.md", "Shoes can be returned.")
	started, until := s.Clock.Now(), s.Clock.Now().Add(20*time.Second)
	s.Exec(t, "UPDATE knowledge_jobs SET status = 'PROCESSING', started_at = $1, leased_until = $2", started, until)
	s.Clock.Advance(20*time.Second - time.Millisecond)
	require.Zero(t, s.work(t))
	require.Equal(t, api.KnowledgeJobStatusPROCESSING, s.job(t, job).Status, "not while the lease lasts")
	s.Clock.Advance(time.Millisecond)
	require.Equal(t, 1, s.work(t))
	done := s.job(t, job)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, done.Status, "another worker resumes an orphaned job")
	require.Equal(t, started, done.StartedAt.UTC())
}

func TestAnErrorOfTheServerIsRetriedThenFailsTheJob(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	job := s.upload(t, s.Ours, "a.md", "Shoes can be returned.")
	require.NoError(t, s.blobs.Delete(t.Context(), s.Ours.String()+"/"+job.SourceID.String()))
	for _, wait := range []time.Duration{time.Second, 4 * time.Second, 9 * time.Second, 16 * time.Second} {
		require.Equal(t, 1, s.work(t))
		waiting := s.job(t, job)
		require.Equal(t, api.KnowledgeJobStatusPROCESSING, waiting.Status)
		require.Equal(t, s.Clock.Now(), waiting.LeasedUntil.UTC(), "released for the retry")
		require.Equal(t, s.Clock.Now().Add(wait), waiting.AvailableAt.UTC())
		require.Empty(t, s.Events(t, s.Ours))
		s.Clock.Advance(wait - time.Millisecond)
		require.Zero(t, s.work(t), "not before the backoff")
		s.Clock.Advance(time.Millisecond)
	}
	require.Equal(t, 1, s.work(t))
	failed := s.job(t, job)
	require.Equal(t, api.KnowledgeJobStatusFAILED, failed.Status)
	require.Equal(t, api.KnowledgeJobErrorCodeInternalError, *failed.ErrorCode)
	require.NotContains(t, *failed.ErrorMessage, s.Ours.String(), "internals are not shown")
	events := s.Events(t, s.Ours)
	require.Len(t, events, 1)
	require.Equal(t, api.EventTypeKnowledgeJobFailed, events[0].Type)
}

func TestCancellingAFirstJobDropsItsSource(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, status := range []string{"PENDING", "PROCESSING"} {
		job := s.upload(t, s.Ours, "a.md", "Text of a job that is "+status)
		s.Exec(t, "UPDATE knowledge_jobs SET status = $1 WHERE id = $2", status, job.ID)
		_, err := s.service.Cancel(t.Context(), s.DB, s.Theirs, job.ID)
		require.ErrorIs(t, err, postgres.ErrNotFound)
		cancelled, err := s.service.Cancel(t.Context(), s.DB, s.Ours, job.ID)
		require.NoError(t, err)
		require.Equal(t, api.KnowledgeJobStatusCANCELLED, cancelled.Status)
		require.Nil(t, cancelled.SourceID)
		require.True(t, s.stored(t, s.Ours, *job.SourceID), "the file stays until the transaction is committed")
		s.deleteFiles(t)
		require.False(t, s.stored(t, s.Ours, *job.SourceID))
		require.Zero(t, s.work(t))
		require.Equal(t, api.KnowledgeJobStatusCANCELLED, s.job(t, job).Status)
	}
	require.Zero(t, s.Count(t, "SELECT count(*) FROM knowledge_sources WHERE deleted_at IS NULL"))
	require.Empty(t, s.Events(t, s.Ours))
}

func TestCancellingAFirstJobKeepsASourceThatIsUploadedAgain(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	first := s.upload(t, s.Ours, "a.md", "Shoes can be returned.")
	second := s.upload(t, s.Ours, "b.md", "Shoes can be returned.")
	require.NotEqual(t, first.ID, second.ID)
	cancelled, err := s.service.Cancel(t.Context(), s.DB, s.Ours, first.ID)
	require.NoError(t, err)
	require.Equal(t, first.SourceID, cancelled.SourceID)
	require.Empty(t, s.queue.files)
	require.Equal(t, 1, s.work(t))
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, s.job(t, second).Status)
	require.Len(t, s.search(t, s.Ours, knowledge.Query{Text: "returned"}), 1)
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	first := s.upload(t, s.Ours, "a.md", "Shoes can be returned.")
	source := *first.SourceID
	same, err := s.service.Refresh(t.Context(), s.DB, s.Ours, source)
	require.NoError(t, err)
	require.Equal(t, first.ID, same.ID, "a job that has not finished is returned")
	require.Equal(t, 1, s.work(t))
	second, err := s.service.Refresh(t.Context(), s.DB, s.Ours, source)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
	require.True(t, second.Refresh)
	cancelled, err := s.service.Cancel(t.Context(), s.DB, s.Ours, second.ID)
	require.NoError(t, err)
	require.Empty(t, s.queue.files)
	require.Equal(t, source, *cancelled.SourceID, "a cancelled refresh keeps the source")
	require.True(t, s.stored(t, s.Ours, source))
	require.Len(t, s.search(t, s.Ours, knowledge.Query{Text: "returned"}), 1, "and its index")
	for space, id := range map[uuid.UUID]uuid.UUID{s.Theirs: source, s.Ours: uuid.New()} {
		_, err = s.service.Refresh(t.Context(), s.DB, space, id)
		require.ErrorIs(t, err, postgres.ErrNotFound)
	}
}

func TestDeletingASourceCancelsItsJob(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	kept := s.ingest(t, s.Ours, "b.md", "Boots can be returned.")
	job := s.upload(t, s.Ours, "a.md", "Shoes can be returned.")
	for space, source := range map[uuid.UUID]uuid.UUID{s.Theirs: *job.SourceID, s.Ours: uuid.New()} {
		require.ErrorIs(t, s.service.DeleteSource(t.Context(), s.DB, space, source), postgres.ErrNotFound)
	}
	require.True(t, s.stored(t, s.Ours, *job.SourceID))
	require.Equal(t, api.KnowledgeJobStatusPENDING, s.job(t, job).Status)
	s.queue.err = errors.New("the queue is not available")
	require.ErrorIs(t, s.service.DeleteSource(t.Context(), s.DB, s.Ours, *job.SourceID), s.queue.err)
	require.Equal(t, api.KnowledgeJobStatusPENDING, s.job(t, job).Status, "no source is deleted without its file")
	s.queue.err = nil
	require.NoError(t, s.service.DeleteSource(t.Context(), s.DB, s.Ours, *job.SourceID))
	s.deleteFiles(t)
	require.False(t, s.stored(t, s.Ours, *job.SourceID))
	require.Equal(t, api.KnowledgeJobStatusCANCELLED, s.job(t, job).Status, "the job stays readable")
	sources, err := s.service.ListSources(t.Context(), s.Ours, paging.Request{})
	require.NoError(t, err)
	require.Len(t, sources.Rows, 1)
	require.Equal(t, kept, sources.Rows[0].ID)
	require.Equal(t, int32(1), sources.Rows[0].ChunkCount)
}

func TestOnlyAcceptedFilesAreKept(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	broken := errors.New("connection reset")
	upload := func(kind extract.Kind, body io.Reader) (*knowledge.Staged, error) {
		return s.service.Stage(t.Context(), s.Ours, knowledge.Upload{Kind: kind, Name: "a", Size: -1, Body: body})
	}
	_, err := upload(extract.Text, strings.NewReader(""))
	require.ErrorIs(t, err, knowledge.ErrEmptyFile)
	var wrong *knowledge.WrongTypeError
	_, err = upload(extract.PDF, strings.NewReader("no PDF"))
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, extract.PDF, wrong.Kind)
	for _, head := range []string{"", strings.Repeat("text ", 10_000)} {
		var body *knowledge.BodyError
		_, err = upload(extract.Text, io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)))
		require.ErrorAs(t, err, &body, "the caller's connection, not the store")
		require.ErrorIs(t, err, broken)
	}
	refused, err := upload(extract.Text, strings.NewReader("refused"))
	require.NoError(t, err)
	s.service.Discard(t.Context(), refused)
	accepted, err := upload(extract.Text, strings.NewReader("accepted"))
	require.NoError(t, err)
	job, err := s.service.Accept(t.Context(), s.DB, accepted)
	require.NoError(t, err)
	require.True(t, accepted.Used(job))
	s.service.Discard(t.Context(), accepted)
	require.True(t, s.stored(t, s.Ours, *job.SourceID))
	require.Equal(t, 1, s.Count(t, "SELECT count(*) FROM knowledge_sources"))
}

func TestJobsAndSourcesAreOfOneWorkspace(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	const text = "The same bytes in two workspaces are two sources."
	ours, theirs := s.upload(t, s.Ours, "a.md", text), s.upload(t, s.Theirs, "b.md", text)
	require.NotEqual(t, *ours.SourceID, *theirs.SourceID)
	_, err := s.service.Job(t.Context(), s.Theirs, ours.ID)
	require.ErrorIs(t, err, postgres.ErrNotFound)
	jobs, err := s.service.ListJobs(t.Context(), s.Ours, paging.Request{})
	require.NoError(t, err)
	require.Len(t, jobs.Rows, 1)
	require.Equal(t, ours.ID, jobs.Rows[0].ID)
	require.NoError(t, s.service.DeleteSource(t.Context(), s.DB, s.Ours, *ours.SourceID))
	require.True(t, s.stored(t, s.Theirs, *theirs.SourceID))
	require.Equal(t, api.KnowledgeJobStatusPENDING, s.job(t, theirs).Status)
}

func TestACrawlStartsAtAPublicPage(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, address := range []string{"", "ftp://example.com", "http://10.0.0.1/", "http://localhost/", "https://u:p@example.com/", "/docs"} {
		_, err := s.service.Crawl(t.Context(), s.DB, s.Ours, address, 1)
		var refused *knowledge.InvalidURLError
		require.ErrorAs(t, err, &refused, address)
		require.NotEmpty(t, refused.Reason)
	}
	require.Zero(t, s.Count(t, "SELECT count(*) FROM knowledge_jobs"))
	job, err := s.service.Crawl(t.Context(), s.DB, s.Ours, "http://example.com/docs", 0)
	require.NoError(t, err)
	require.Equal(t, api.KnowledgeJobStatusPENDING, job.Status)
	require.Equal(t, int64(1), job.Found)
}
