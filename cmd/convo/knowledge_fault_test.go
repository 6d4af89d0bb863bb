package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

// knowledgeBed runs a server in a real process. Tests start its workers.
type knowledgeBed struct {
	environment []string
	server      *process
	token       string
	url         string
}

func newKnowledgeBed(t *testing.T) *knowledgeBed {
	t.Helper()
	dir := t.TempDir()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(dir, "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop(context.WithoutCancel(t.Context()))) })
	b := &knowledgeBed{url: database.URL("postgres")}
	b.environment = []string{
		"DATABASE_URL=" + b.url, "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_ALLOWED_TARGETS=127.0.0.0/8",
		"CONVO_STORAGE=" + filepath.Join(dir, "files"), "CONVO_DATABASE_CONNS=8",
	}
	b.server = start(t, b.environment, "serve", "--workers=false")
	f := faults{environment: b.environment}
	f.run(t, "seed", "--leads", "1", "--workspace", "acme")
	liftLimits(t, b.url)
	b.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "acme", "--name", "k", "--scope", "leads:read"))
	return b
}

// knowledgeJob holds the properties of a job that the tests use.
type knowledgeJob struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Progress struct {
		PagesFound int `json:"pagesFound"`
		PagesDone  int `json:"pagesDone"`
	} `json:"progress"`
}

func (b *knowledgeBed) post(t *testing.T, path, contentType string, body io.Reader) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.server.addr+"/api/v1"+path, body)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, out
}

func (b *knowledgeBed) accepted(t *testing.T, path, contentType, body string) knowledgeJob {
	t.Helper()
	status, out := b.post(t, path, contentType, strings.NewReader(body))
	require.Equal(t, http.StatusAccepted, status, "%s", out)
	var job knowledgeJob
	require.NoError(t, json.Unmarshal(out, &job))
	return job
}

func (b *knowledgeBed) job(t *testing.T, id string) (job knowledgeJob) {
	t.Helper()
	status, out := b.server.get("/api/v1/knowledge/jobs/"+id, b.token)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal(out, &job))
	return job
}

// TestCrawlResumesWhenWorkerCrashes kills a worker during a crawl. Another worker must
// resume the orphaned job within a minute without reading finished pages again.
func TestCrawlResumesWhenWorkerCrashes(t *testing.T) {
	t.Parallel()
	b := newKnowledgeBed(t)
	const pages = 30
	var mu sync.Mutex
	asked, slow := map[string]int{}, make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		again := asked[r.URL.Path] > 1
		mu.Unlock()
		if r.URL.Path == "/page/15" && !again {
			<-slow // the worker is killed here
		}
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/page/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><title>Page %s</title><body><p>%s</p>", r.URL.Path, strings.Repeat("words of page "+r.URL.Path+" ", 10))
		for i := range pages {
			fmt.Fprintf(w, "<a href=/page/%d>.</a>", i)
		}
	}))
	defer site.Close()
	worker := start(t, b.environment, "work")
	job := b.accepted(t, "/knowledge/crawl", "application/json", fmt.Sprintf(`{"url":%q}`, site.URL))
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return asked["/page/15"] == 1
	}, time.Minute, 5*time.Millisecond)
	worker.stop(t, syscall.SIGKILL)
	close(slow)
	killed := time.Now()
	start(t, b.environment, "work")
	require.Eventually(t, func() bool { return b.job(t, job.ID).Status == "COMPLETED" }, 90*time.Second, 50*time.Millisecond)
	apitest.Tallyf(t, "crawl: resumed and ended %s after its worker was killed", time.Since(killed).Round(time.Second))
	require.Less(t, time.Since(killed), time.Minute)
	require.Equal(t, pages+1, b.job(t, job.ID).Progress.PagesDone)
	for path, times := range asked {
		if strings.HasPrefix(path, "/page/") && path != "/page/15" {
			require.Equal(t, 1, times, path)
		}
	}
	require.Equal(t, 2, asked["/page/15"], "the page in flight is read again")
}

// TestUploadIsIngestedWhenWorkerCrashes kills a worker while its child process parses the
// file.
func TestUploadIsIngestedWhenWorkerCrashes(t *testing.T) {
	t.Parallel()
	b := newKnowledgeBed(t)
	job := b.accepted(t, "/knowledge/upload", "text/plain", strings.Repeat("A line of a long book about shoes.\n", 100_000))
	worker := start(t, b.environment, "work")
	connection, err := pgx.Connect(t.Context(), b.url)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	require.Eventually(t, func() bool {
		return len(collect(t, connection, "SELECT id FROM knowledge_jobs WHERE status = 'PROCESSING'")) == 1
	}, time.Minute, time.Millisecond)
	worker.stop(t, syscall.SIGKILL)
	require.Equal(t, "PROCESSING", b.job(t, job.ID).Status)
	killed := time.Now()
	start(t, b.environment, "work")
	require.Eventually(t, func() bool { return b.job(t, job.ID).Status == "COMPLETED" }, 90*time.Second, 50*time.Millisecond)
	require.Less(t, time.Since(killed), time.Minute)
}

// TestConcurrentUploadsAreStreamed uploads fifty files of 10 MiB concurrently and checks
// how much the server's peak memory grows.
func TestConcurrentUploadsAreStreamed(t *testing.T) {
	t.Parallel()
	b := newKnowledgeBed(t)
	const files, size, most = 50, 10 << 20, 64 << 20
	idle := peakMemory(t, b.server)
	var senders sync.WaitGroup
	statuses := make([]int, files)
	for i := range files {
		senders.Go(func() {
			line := fmt.Sprintf("file %02d of many, ten megabytes of it\n", i)
			statuses[i], _ = b.post(t, "/knowledge/upload", "text/plain", io.LimitReader(&repeated{line: line}, size))
		})
	}
	senders.Wait()
	for _, status := range statuses {
		require.Equal(t, http.StatusAccepted, status)
	}
	peak := peakMemory(t, b.server)
	apitest.Tallyf(t, "50 concurrent uploads of 10 MiB: peak memory of the server %.1f MiB, %.1f MiB before", float64(peak)/(1<<20), float64(idle)/(1<<20))
	require.LessOrEqual(t, peak-idle, int64(most))
}

// repeated is an endless reader that repeats a line.
type repeated struct {
	line string
	at   int
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.line[r.at:])
		n += c
		r.at = (r.at + c) % len(r.line)
	}
	return n, nil
}

// peakMemory returns the peak resident size of a process in bytes (VmHWM in proc(5)).
func peakMemory(t *testing.T, p *process) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err := fmt.Sscan(rest, &bytes)
			require.NoError(t, err)
			return bytes << 10
		}
	}
	require.Fail(t, "no VmHWM")
	return 0
}
