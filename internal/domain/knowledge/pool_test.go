package knowledge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/platform/egress"
)

// uploads accepts files of a workspace and returns their jobs.
func (s *shelf) uploads(t *testing.T, space uuid.UUID, n int) (jobs []uuid.UUID) {
	t.Helper()
	for range n {
		jobs = append(jobs, s.upload(t, space, "a.md", "Text "+uuid.NewString()).ID)
		s.Clock.Advance(time.Millisecond)
	}
	return jobs
}

func ids(jobs []db.KnowledgeJob) (all []uuid.UUID) {
	for _, job := range jobs {
		all = append(all, job.ID)
	}
	return all
}

func TestAWorkspaceWithFewerJobsInProgressComesFirst(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	third := s.Workspace(t, "third")
	ours := s.uploads(t, s.Ours, 5)
	theirs := s.uploads(t, s.Theirs, 1)
	thirds := s.uploads(t, third, 2)
	require.ElementsMatch(t, []uuid.UUID{ours[0], theirs[0]}, ids(s.claim(t, api.KnowledgeTypeUPLOAD, 2, 2)))
	require.ElementsMatch(t, []uuid.UUID{thirds[0], ours[1]}, ids(s.claim(t, api.KnowledgeTypeUPLOAD, 2, 2)), "then the job that has waited longest")
	require.ElementsMatch(t, []uuid.UUID{thirds[1]}, ids(s.claim(t, api.KnowledgeTypeUPLOAD, 2, 10)), "ours has its share")
	require.Empty(t, s.claim(t, api.KnowledgeTypeUPLOAD, 2, 10))
	s.Exec(t, "UPDATE knowledge_jobs SET status = 'COMPLETED' WHERE id = $1", ours[0])
	require.Equal(t, []uuid.UUID{ours[2]}, ids(s.claim(t, api.KnowledgeTypeUPLOAD, 2, 10)))
}

func TestUploadsAndCrawlsHaveSharesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	upload := s.uploads(t, s.Ours, 1)[0]
	crawl, err := s.service.Crawl(t.Context(), s.DB, s.Ours, "http://example.com/", 0)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{crawl.ID}, ids(s.claim(t, api.KnowledgeTypeCRAWL, 1, 10)))
	require.Equal(t, []uuid.UUID{upload}, ids(s.claim(t, api.KnowledgeTypeUPLOAD, 1, 10)))
}

// TestEachJobIsClaimedOnce lets processes claim at the same time.
func TestEachJobIsClaimedOnce(t *testing.T) {
	t.Parallel()
	const jobs, processes = 40, 4
	s := newShelf(t)
	want := s.uploads(t, s.Ours, jobs)
	var mu sync.Mutex
	var claimed []uuid.UUID
	var running sync.WaitGroup
	for range processes {
		running.Go(func() {
			for {
				got, err := s.pool(api.KnowledgeTypeUPLOAD, jobs).Claim(t.Context(), 3)
				mu.Lock()
				claimed = append(claimed, ids(got)...)
				all := len(claimed) >= jobs
				mu.Unlock()
				if err != nil || all {
					return
				}
			}
		})
	}
	running.Wait()
	require.ElementsMatch(t, want, claimed)
}

// paged is a site of n pages that are linked one after the other. visit is called for each.
func paged(t *testing.T, n int, robots string, visit func(path string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit(r.URL.Path)
		if r.URL.Path == "/robots.txt" {
			_, _ = w.Write([]byte(robots))
			return
		}
		var i int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &i); err != nil || i >= n {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<p>Page %d of %s.<a href=/%d>next</a>", i, r.Host, i+1)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// crawl creates the job of a crawl.
func (s *shelf) crawl(t *testing.T, space uuid.UUID, address string, depth int32) knowledge.Job {
	t.Helper()
	guard := egress.NewGuard(egress.Loopback())
	s.service.Guard, s.worker.Guard = guard, guard
	job, err := s.service.Crawl(t.Context(), s.DB, space, address, depth)
	require.NoError(t, err)
	return job
}

// TestLongCrawlsTakeTurns has one worker for three crawls whose pages take 16 seconds each:
// longer than a turn.
func TestLongCrawlsTakeTurns(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	var visited []string
	var jobs []knowledge.Job
	for i, space := range []uuid.UUID{s.Ours, s.Theirs, s.Workspace(t, "third")} {
		jobs = append(jobs, s.crawl(t, space, paged(t, 3, "", func(path string) {
			if path != "/robots.txt" && path != "/sitemap.xml" && path != "/3" {
				visited = append(visited, fmt.Sprint(i, path))
				s.Clock.Advance(16 * time.Second)
			}
		})+"/0", 3))
	}
	for {
		claimed := s.claim(t, api.KnowledgeTypeCRAWL, 1, 1)
		if len(claimed) == 0 {
			break
		}
		s.worker.Work(t.Context(), claimed[0])
	}
	require.Equal(t, []string{"0/0", "1/0", "2/0", "0/1", "1/1", "2/1", "0/2", "1/2", "2/2"}, visited)
	for _, job := range jobs {
		done := s.job(t, job)
		require.Equal(t, api.KnowledgeJobStatusCOMPLETED, done.Status)
		require.Equal(t, int64(3), done.Done)
	}
}

// TestACrawlThatWaitsHasNoWorker crawls a site that asks for 5 seconds between pages.
func TestACrawlThatWaitsHasNoWorker(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	var visited []string
	job := s.crawl(t, s.Ours, paged(t, 3, "User-agent: *\nCrawl-delay: 5\n", func(path string) { visited = append(visited, path) })+"/0", 2)
	second := s.crawl(t, s.Ours, paged(t, 1, "", func(string) {})+"/0", 0)
	for i := range 3 {
		claimed := s.claim(t, api.KnowledgeTypeCRAWL, 1, 1)
		require.Equal(t, []uuid.UUID{job.ID}, ids(claimed), "turn %d", i)
		s.worker.Work(t.Context(), claimed[0])
		if i == 2 {
			break
		}
		waiting := s.job(t, job)
		require.Equal(t, api.KnowledgeJobStatusPROCESSING, waiting.Status)
		require.Equal(t, s.Clock.Now().Add(5*time.Second), waiting.AvailableAt.UTC())
		if i == 0 {
			require.Equal(t, []uuid.UUID{second.ID}, ids(s.claim(t, api.KnowledgeTypeCRAWL, 1, 1)), "the share of its workspace is free")
			s.Exec(t, "UPDATE knowledge_jobs SET status = 'COMPLETED' WHERE id = $1", second.ID)
		}
		require.Empty(t, s.claim(t, api.KnowledgeTypeCRAWL, 1, 1))
		s.Clock.Advance(5 * time.Second)
	}
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, s.job(t, job).Status)
	require.Equal(t, []string{"/robots.txt", "/sitemap.xml", "/0", "/1", "/2"}, visited, "robots.txt and the sitemap are read once")
}

// TestACrawlIsContinuedByAnotherProcess continues a crawl that waits in a process that has
// not opened its site.
func TestACrawlIsContinuedByAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	var visited []string
	job := s.crawl(t, s.Ours, paged(t, 2, "User-agent: *\nCrawl-delay: 5\n", func(path string) { visited = append(visited, path) })+"/0", 2)
	require.Equal(t, 1, s.work(t))
	w := s.worker
	s.worker = &knowledge.Worker{
		DB: w.DB, IDs: w.IDs, Events: w.Events, Clock: w.Clock, Blobs: w.Blobs, Guard: w.Guard, Extract: w.Extract, MaxPages: w.MaxPages, Log: w.Log,
	}
	for s.job(t, job).FinishedAt == nil {
		s.Clock.Advance(5 * time.Second)
		require.Equal(t, 1, s.work(t))
	}
	require.Equal(t, []string{"/robots.txt", "/sitemap.xml", "/0", "/robots.txt", "/1", "/2"}, visited, "the sitemap is not read again")
}

func TestAStoppedPoolReleasesItsJobs(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	reached := make(chan string, 10)
	stuck := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
		<-r.Context().Done()
	}))
	t.Cleanup(stuck.Close)
	job := s.crawl(t, s.Ours, stuck.URL, 0)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		knowledge.RunPools(ctx, s.pool(api.KnowledgeTypeUPLOAD, 1), s.pool(api.KnowledgeTypeCRAWL, 1))
	}()
	<-reached
	stop()
	<-stopped
	released := s.job(t, job)
	require.Equal(t, api.KnowledgeJobStatusPROCESSING, released.Status)
	require.Zero(t, released.Failures, "a shutdown is no failure")
	require.Equal(t, []uuid.UUID{job.ID}, ids(s.claim(t, api.KnowledgeTypeCRAWL, 1, 1)), "another process continues immediately")
}

func TestUnfinishedJobsOfAWorkspaceAreBounded(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.service.MaxUploads, s.service.MaxCrawls = 2, 1
	jobs := s.uploads(t, s.Ours, 2)
	for space, full := range map[uuid.UUID]bool{s.Ours: true, s.Theirs: false} {
		err := s.service.CheckJobs(t.Context(), s.DB, space, api.KnowledgeTypeUPLOAD)
		require.Equal(t, full, err != nil, "%v", err)
	}
	s.crawl(t, s.Ours, "http://127.0.0.1:1/", 0)
	var many *knowledge.TooManyJobsError
	_, err := s.service.Crawl(t.Context(), s.DB, s.Ours, "http://127.0.0.1:1/a", 0)
	require.ErrorAs(t, err, &many)
	require.Equal(t, knowledge.TooManyJobsError{Type: api.KnowledgeTypeCRAWL, Max: 1}, *many)
	require.Equal(t, 3, s.Count(t, "SELECT count(*) FROM knowledge_sources"), "no source without its job")
	s.claim(t, api.KnowledgeTypeUPLOAD, 1, 1)
	require.Error(t, s.service.CheckJobs(t.Context(), s.DB, s.Ours, api.KnowledgeTypeUPLOAD), "one in progress is unfinished")
	_, err = s.service.Cancel(t.Context(), s.DB, s.Ours, jobs[1])
	require.NoError(t, err)
	require.NoError(t, s.service.CheckJobs(t.Context(), s.DB, s.Ours, api.KnowledgeTypeUPLOAD))
	require.False(t, slices.Contains(ids(s.claim(t, api.KnowledgeTypeUPLOAD, 2, 10)), jobs[1]))
}
