package knowledge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/apitest"
)

// hanging is a site whose home page links to pages that do not respond. It counts the
// requests that hang.
type hanging struct {
	*httptest.Server

	mu      sync.Mutex
	waiting int
}

func newHanging(t testing.TB) *hanging {
	t.Helper()
	h := &hanging{}
	var links []string
	for i := range 100 {
		links = append(links, fmt.Sprintf("/hang/%d", i))
	}
	home := page("Home", "Every other page of this site hangs.", links...)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, home)
		case !strings.HasPrefix(r.URL.Path, "/hang"):
			http.NotFound(w, r)
		default:
			h.add(1)
			defer h.add(-1)
			<-r.Context().Done()
		}
	}))
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *hanging) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting += n
}

func (h *hanging) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}

// TestSlowCrawlsDelayNoOneElse has a workspace crawl 16 sites that do not respond. Another
// workspace's upload and crawl end while all of those still hang.
func TestSlowCrawlsDelayNoOneElse(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	sites := make([]*hanging, 16)
	hogs := make([]api.KnowledgeJob, len(sites))
	hangs := func() (n int) {
		for _, one := range sites {
			n += one.count()
		}
		return n
	}
	for i := range sites {
		sites[i] = newHanging(t)
		response := b.Post(t, b.token, "/knowledge/crawl", map[string]any{"url": sites[i].URL})
		hogs[i] = apitest.Decode[api.KnowledgeJob](t, response.Want(t, http.StatusAccepted))
	}
	require.Eventually(t, func() bool { return hangs() == 2 }, waitFor, tick, "the workspace uses its share, and no more")
	neighbor := &bed{Server: b.Server, token: b.Token(t, b.Workspace(t, "neighbor"))}
	s := newSite(t, map[string]string{"/": page("Home", "Welcome to the shop of good shoes.")})
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, neighbor.take(t, extract.Text, "a.txt", []byte(returnsText)).Status)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, neighbor.crawl(t, s.URL, 0).Status)
	for _, hog := range hogs {
		job := apitest.Decode[api.KnowledgeJob](t, b.Get(t, b.token, "/knowledge/jobs/"+hog.ID.String()).Want(t, http.StatusOK))
		require.Nil(t, job.FinishedAt, "it still hangs")
	}
}

func TestTooManyUnfinishedJobsAreRefused(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: apitest.Config{MaxUploads: 1, MaxCrawls: 1}}) // no workers
	b := &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme"))}
	refused := func(response apitest.Response) {
		t.Helper()
		response.Problem(t, http.StatusTooManyRequests, api.ErrorCodeTooManyJobs)
		require.Equal(t, "30", response.Header.Get("Retry-After"))
	}
	upload := apitest.Decode[api.KnowledgeJob](t, b.send(t, extract.Text, "a.txt", []byte(returnsText)).Want(t, http.StatusAccepted))
	refused(b.send(t, extract.Text, "b.txt", []byte("another text")))
	require.Len(t, b.files(t), 1, "a refused file is not stored")
	crawl := map[string]any{"url": "https://example.com"}
	b.Post(t, b.token, "/knowledge/crawl", crawl).Want(t, http.StatusAccepted)
	refused(b.Post(t, b.token, "/knowledge/crawl", crawl))
	path := "/knowledge/sources/" + upload.SourceID.String() + "/refresh"
	require.Equal(t, upload.ID, apitest.Decode[api.KnowledgeJob](t, b.Post(t, b.token, path, nil).Want(t, http.StatusAccepted)).ID, "its job is unfinished")
	s.Exec(t, "UPDATE knowledge_jobs SET status = 'COMPLETED', finished_at = created_at WHERE id = $1", upload.ID)
	b.send(t, extract.Text, "b.txt", []byte("another text")).Want(t, http.StatusAccepted)
	refused(b.Post(t, b.token, path, nil))
	other := &bed{Server: s, token: s.Token(t, s.Workspace(t, "other"))}
	other.send(t, extract.Text, "a.txt", []byte(returnsText)).Want(t, http.StatusAccepted)
	b.Post(t, b.token, "/knowledge/jobs/"+uuid.NewString()+"/cancel", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// BenchmarkNeighbor measures how long a small upload takes from the request to its end:
// idle, next to 16 crawls of slow sites, and next to 50 uploads of 1 MiB, of another
// workspace.
func BenchmarkNeighbor(b *testing.B) {
	for name, hog := range map[string]func(*testing.B, *apitest.Server, string){
		"idle": func(*testing.B, *apitest.Server, string) {},
		"crawls": func(b *testing.B, s *apitest.Server, token string) {
			for range 16 {
				s.Post(b, token, "/knowledge/crawl", map[string]any{"url": newHanging(b).URL}).Want(b, http.StatusAccepted)
			}
		},
		"uploads": func(b *testing.B, s *apitest.Server, token string) {
			text := strings.Repeat("Customers can return shoes within thirty days if they are clean. ", (1<<20)/66)
			for range 50 {
				ingest(b, s, token, uuid.NewString()+text)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := apitest.New(b, apitest.Options{Workers: true})
			hog(b, s, s.Token(b, s.Workspace(b, "hog")))
			token := s.Token(b, s.Workspace(b, "neighbor"))
			for b.Loop() {
				job := ingest(b, s, token, uuid.NewString()+" "+returnsText)
				require.Eventually(b, func() bool {
					return apitest.Decode[api.KnowledgeJob](b, s.Get(b, token, "/knowledge/jobs/"+job.ID.String())).FinishedAt != nil
				}, waitFor, tick)
			}
		})
	}
}

func ingest(b *testing.B, s *apitest.Server, token, text string) api.KnowledgeJob {
	b.Helper()
	return apitest.Decode[api.KnowledgeJob](b, s.Do(b, apitest.Request{
		Method: http.MethodPost, Path: "/knowledge/upload", Token: token, Body: text, Header: map[string]string{"Content-Type": "text/plain"},
	}).Want(b, http.StatusAccepted))
}
