package knowledge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// site is a web site that notes what was asked of it.
type site struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
	pages map[string]string
}

func page(title, body string, links ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html><head><title>%s</title></head><body><main><h1>%s</h1><p>%s</p>", title, title, strings.Repeat(body+" ", 8))
	for _, link := range links {
		fmt.Fprintf(&b, "<a href=%q>%s</a> ", link, link)
	}
	return b.String() + "</main></body></html>"
}

func newSite(t *testing.T, pages map[string]string) *site {
	t.Helper()
	s := &site{pages: pages}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI()+" "+r.Header.Get("User-Agent"))
		body, ok := s.pages[r.URL.Path]
		s.mu.Unlock()
		switch {
		case r.URL.Path == "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/final", http.StatusMovedPermanently)
		case r.URL.Path == "/inside":
			http.Redirect(w, r, "http://10.255.255.1/secret", http.StatusFound)
		case r.URL.Path == "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/huge":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(make([]byte, 6<<20))
		case r.URL.Path == "/image":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("png"))
		case !ok:
			http.NotFound(w, r)
		case r.URL.Path == "/robots.txt":
			_, _ = w.Write([]byte(body))
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// count says how often a page was asked for.
func (s *site) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, one := range s.asked {
		if strings.HasPrefix(one, path+" ") {
			n++
		}
	}
	return n
}

func (s *site) set(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = body
}

func (b *bed) crawl(t *testing.T, url string, depth int) api.KnowledgeJob {
	t.Helper()
	answer := b.Post(t, b.token, "/knowledge/crawl", map[string]any{"url": url, "depth": depth})
	return b.wait(t, apitest.Decode[api.KnowledgeJob](t, answer.Want(t, http.StatusAccepted)))
}

func TestASiteIsReadToItsDepth(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := newSite(t, map[string]string{
		"/robots.txt": "User-agent: *\nDisallow: /private\n",
		"/":           page("Home", "Welcome to the shop of good shoes.", "/a", "/b#part", "/private/x", "/missing", "/loop", "/moved", "/inside", "/broken", "/huge", "/image", "https://elsewhere.example/", "/?b=1&a=2", "/?a=2&b=1", "mailto:x@example.com"),
		"/a":          page("Returns", "Returns are taken within thirty days.", "/", "/deep"),
		"/b":          page("Returns", "Returns are taken within thirty days.", "/", "/deep"), // the same text again
		"/deep":       page("Deep", "A page that is two links away speaks of saddles."),
		"/final":      page("Final", "What was moved speaks of umbrellas."),
		"/private/x":  page("Private", "This page about submarines is private."),
		"/listed":     page("Listed", "Only the sitemap knows of telescopes."),
	})
	s.set("/sitemap.xml", `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>`+s.URL+`/listed</loc></url><url><loc>https://elsewhere.example/x</loc></url></urlset>`)
	job := b.crawl(t, s.URL, 1)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, job.Status, "%+v", job.Error)
	reasons := map[string]string{}
	for _, failure := range job.Progress.Failures {
		reasons[strings.TrimPrefix(failure.URL, s.URL)] = failure.Reason
	}
	require.Equal(t, "returned status 404", reasons["/missing"])
	require.Equal(t, "returned status 500", reasons["/broken"])
	require.Contains(t, reasons["/loop"], "redirects too often")
	require.Contains(t, reasons["/inside"], "redirects to another host")
	require.Contains(t, reasons["/huge"], "larger than 5 MiB")
	require.Len(t, reasons, 5)
	require.Equal(t, job.Progress.PagesFound, job.Progress.PagesDone+job.Progress.PagesSkipped+job.Progress.PagesFailed)

	found := func(query string) []string {
		var urls []string
		for _, hit := range b.search(t, query) {
			urls = append(urls, strings.TrimPrefix(*hit.URL, s.URL))
		}
		return urls
	}
	require.Len(t, found("return"), 1, "the same text is indexed once")
	require.Equal(t, []string{"/final"}, found("umbrella"))
	require.Equal(t, []string{"/listed"}, found("telescope"))
	require.Empty(t, found("saddles"), "too deep")
	require.Empty(t, found("submarine"))
	require.Zero(t, s.count("/private/x"))
	require.Equal(t, 1, s.count("/a"))
	require.True(t, slices.ContainsFunc(s.asked, func(one string) bool { return strings.Contains(one, "ConvoBot") }))
}

func TestARefreshReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := newSite(t, map[string]string{
		"/":  page("Home", "Welcome to the shop of good shoes.", "/a", "/b"),
		"/a": page("Old", "This page speaks of saddles."),
		"/b": page("Same", "This page speaks of telescopes."),
	})
	first := b.crawl(t, s.URL, 1)
	require.Equal(t, int32(3), first.Progress.PagesDone)
	s.set("/a", page("New", "This page speaks of umbrellas."))
	s.set("/", page("Home", "Welcome to the shop of good shoes.", "/a"))
	path := "/knowledge/sources/" + first.SourceID.String() + "/refresh"
	again := b.wait(t, apitest.Decode[api.KnowledgeJob](t, b.Post(t, b.token, path, nil).Want(t, http.StatusAccepted)))
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, again.Status)
	require.Len(t, b.search(t, "umbrellas"), 1)
	require.Empty(t, b.search(t, "saddles"))
	require.Empty(t, b.search(t, "telescopes"), "nothing leads there any more")
	require.Equal(t, int32(2), again.Progress.PagesDone, "its own page has changed too: a link is gone")
}

func TestASiteThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	gone := newSite(t, nil)
	address := gone.URL
	gone.Close()
	job := b.crawl(t, address, 1)
	require.Equal(t, api.KnowledgeJobStatusFAILED, job.Status)
	require.Equal(t, api.KnowledgeJobErrorCodeCrawlFailed, job.Error.Code)
	closed := newSite(t, map[string]string{"/robots.txt": "User-agent: *\nDisallow: /\n", "/": page("x", "y")})
	job = b.crawl(t, closed.URL, 0)
	require.Zero(t, closed.count("/"))
	require.Equal(t, int32(0), job.Progress.PagesDone)
	for _, url := range []string{"http://10.0.0.1/", "http://169.254.169.254/", "https://user:x@example.com/"} {
		b.Post(t, b.token, "/knowledge/crawl", map[string]any{"url": url}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeInvalidCrawlURL)
	}
	long := b.Post(t, b.token, "/knowledge/crawl", map[string]any{"url": "https://example.com/" + strings.Repeat("漢", 1500)})
	long.Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeInvalidCrawlURL)
	require.Contains(t, string(long.Body), "at most 2048 characters once it is percent-encoded")
	b.Post(t, b.token, "/knowledge/crawl", `{"url":"https://example.com","depth":6}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func TestLongLinksAreSkipped(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := newSite(t, map[string]string{
		"/":  page("Home", "Welcome to the shop of good shoes.", "/"+strings.Repeat("x", 4000), "/?q="+strings.Repeat("漢", 500), "/a"),
		"/a": page("Returns", "Returns are accepted within thirty days."),
	})
	job := b.crawl(t, s.URL, 1)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, job.Status, "%+v", job.Error)
	require.Equal(t, int32(2), job.Progress.PagesFound)
	require.Equal(t, int32(2), job.Progress.PagesDone)
}

func TestARunningCrawlIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	reached := make(chan struct{}, 1)
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		reached <- struct{}{}
		<-r.Context().Done() // until its caller gives up
	}))
	t.Cleanup(stuck.Close)
	answer := b.Post(t, b.token, "/knowledge/crawl", map[string]any{"url": stuck.URL, "depth": 0})
	job := apitest.Decode[api.KnowledgeJob](t, answer.Want(t, http.StatusAccepted))
	<-reached
	cancelled := b.Post(t, b.token, "/knowledge/jobs/"+job.ID.String()+"/cancel", nil).Want(t, http.StatusOK)
	require.Equal(t, api.KnowledgeJobStatusCANCELLED, apitest.Decode[api.KnowledgeJob](t, cancelled).Status)
	require.Equal(t, api.KnowledgeJobStatusCANCELLED, b.wait(t, job).Status)
	require.JSONEq(t, "[]", string(b.Get(t, b.token, "/knowledge/sources").Want(t, http.StatusOK).Body))
}

func TestSlowPagesTimeOutAndDelaysAreHonored(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var mu sync.Mutex
	var moments []time.Time
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/robots.txt":
			_, _ = w.Write([]byte("User-agent: *\nDisallow: /nothing\n\nUser-agent: ConvoBot\nCrawl-delay: 1\n"))
			return
		case "/slow":
			<-r.Context().Done()
			return
		case "/", "/a", "/b":
			mu.Lock()
			moments = append(moments, time.Now())
			mu.Unlock()
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(page("Page "+r.URL.Path, "Words of "+r.URL.Path, "/a", "/b", "/slow")))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(slow.Close)
	job := b.crawl(t, slow.URL, 1)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, job.Status)
	require.Equal(t, int32(3), job.Progress.PagesDone)
	require.Len(t, job.Progress.Failures, 1)
	require.Equal(t, "did not respond in time", job.Progress.Failures[0].Reason)
	for i := range moments[1:] {
		require.GreaterOrEqual(t, moments[i+1].Sub(moments[i]), time.Second)
	}
}
