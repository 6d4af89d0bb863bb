package crawl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/crawl"
)

// site serves responses by path. A function may be set after the server has started, to
// know its address.
type site struct {
	URL string

	mu       sync.Mutex
	paths    map[string]http.HandlerFunc
	requests []*http.Request
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{paths: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	handler, ok := s.paths[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	handler(w, r)
}

// set serves a text as HTML.
func (s *site) set(path, text string) {
	s.paths[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, text) // the client may hang up
	}
}

func (s *site) seen() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		paths = append(paths, r.URL.Path)
	}
	return paths
}

func TestRequestsNameTheCrawler(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.set("/", "<p>x")
	_, err := opened(t, s.URL).Fetch(t.Context(), s.URL+"/")
	require.NoError(t, err)
	require.Equal(t, []string{"/robots.txt", "/"}, s.seen())
	for _, r := range s.requests {
		require.Equal(t, crawl.UserAgent, r.UserAgent())
		require.Empty(t, r.Cookies())
		require.Empty(t, r.Header.Get("Authorization"))
	}
}

func TestRobotsRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		robots             string
		allowed, forbidden []string
	}{
		"empty":                 {"", []string{"/", "/a"}, nil},
		"a group for all":       {"User-agent: *\nDisallow: /a\n", []string{"/", "/b"}, []string{"/a", "/a/b", "/abc"}},
		"a group of its own":    {"User-agent: *\nDisallow: /\n\nUser-agent: convobot\nDisallow: /b\n", []string{"/", "/a"}, []string{"/b"}},
		"a group for others":    {"User-agent: Googlebot\nDisallow: /\n", []string{"/", "/a"}, nil},
		"allow within disallow": {"User-agent: *\nDisallow: /a\nAllow: /a/public\n", []string{"/a/public", "/a/public/b"}, []string{"/a/private"}},
		"wildcard and end":      {"User-agent: *\nDisallow: /*.pdf$\n", []string{"/a.pdf.html"}, []string{"/a.pdf", "/a/b.pdf"}},
		"query":                 {"User-agent: *\nDisallow: /*?session=\n", []string{"/a?page=1"}, []string{"/a?session=1"}},
		"everything":            {"User-agent: *\nDisallow: /\n", nil, []string{"/", "/a"}},
		"empty disallow":        {"User-agent: *\nDisallow:\n", []string{"/", "/a"}, nil},
		"comments and CRLF":     {"# hello\r\nUser-agent: * # all\r\nDisallow: /a # private\r\n", []string{"/"}, []string{"/a"}},
		"not a robots.txt":      {"<html><body>Welcome!</body></html>", []string{"/", "/a"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.set("/robots.txt", test.robots)
			site := opened(t, s.URL)
			for _, path := range append(test.allowed, test.forbidden...) {
				address, err := url.Parse(s.URL + path)
				require.NoError(t, err)
				require.Equal(t, !slices.Contains(test.forbidden, path), site.Allows(address), path)
			}
			for _, path := range test.forbidden {
				require.True(t, refused(t, site, s.URL+path).Skipped, path)
			}
			require.Equal(t, []string{"/robots.txt"}, s.seen(), "pages that are disallowed are not requested")
		})
	}
}

func TestTheStatusOfRobotsTxtDecides(t *testing.T) {
	t.Parallel()
	for status, opens := range map[int]bool{200: true, 401: true, 403: true, 404: true, 410: true, 500: false, 503: false} {
		s := newSite(t)
		s.paths["/robots.txt"] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "User-agent: Googlebot\nDisallow: /")
		}
		_, err := open(t.Context(), s.URL)
		require.Equal(t, opens, err == nil, "%d: %v", status, err)
	}
}

func TestRobotsTxtIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for reason, robots := range map[string]string{
		"has a robots.txt of more than 512 KiB":           strings.Repeat("# comment\n", 60_000),
		"has a robots.txt with more than 10000 rules":     "User-agent: *\n" + strings.Repeat("Disallow: /a\n", 10_001),
		"has a robots.txt with more than 10000 wildcards": "User-agent: *\n" + strings.Repeat("Disallow: /*a*\n", 5001),
	} {
		s.set("/robots.txt", robots)
		_, err := open(t.Context(), s.URL)
		require.EqualError(t, err, reason)
	}
	s.paths["/robots.txt"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/robots.txt", http.StatusFound)
	}
	_, err := open(t.Context(), s.URL)
	require.EqualError(t, err, "redirects to another host")
}

func TestDelayIsThatOfRobotsTxt(t *testing.T) {
	t.Parallel()
	for delay, want := range map[string]time.Duration{"0": 0, "1.5": 1500 * time.Millisecond, "10": 10 * time.Second, "86400": 10 * time.Second, "soon": 0} {
		s := newSite(t)
		s.set("/robots.txt", "User-agent: *\nCrawl-delay: "+delay+"\nDisallow: /x\n")
		require.Equal(t, want, opened(t, s.URL).Delay(), delay)
	}
}

func TestRedirectsAreFollowedFiveTimesAtMost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 10 {
		s.paths[fmt.Sprint("/hop", i)] = func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, fmt.Sprint("/hop", i+1), http.StatusMovedPermanently)
		}
	}
	s.set("/hop4", "<p>x")
	site := opened(t, s.URL)
	page, err := site.Fetch(t.Context(), s.URL+"/hop0")
	require.NoError(t, err)
	require.Equal(t, s.URL+"/hop4", page.URL)
	delete(s.paths, "/hop4")
	require.Equal(t, "redirects too often", refused(t, site, s.URL+"/hop5").Reason)
}

// TestTheCrawlerStaysOnItsHost serves pages and a sitemap on a second host, which must
// not receive a request.
func TestTheCrawlerStaysOnItsHost(t *testing.T) {
	t.Parallel()
	other, s := newSite(t), newSite(t)
	other.set("/", "<p>x")
	other.set("/sitemap.xml", "<urlset><url><loc>"+other.URL+"/</loc></url></urlset>")
	s.set("/robots.txt", "Sitemap: "+other.URL+"/sitemap.xml\nSitemap: "+s.URL+"/index.xml\n")
	s.set("/index.xml", "<sitemapindex><sitemap><loc>"+other.URL+"/sitemap.xml</loc></sitemap></sitemapindex>")
	s.set("/", `<base href="`+other.URL+`/"><p>x<a href="a">a</a><a href="`+s.URL+`/b">b</a><a href="//`+strings.TrimPrefix(other.URL, "http://")+`/c">c</a>`)
	s.set("/canonical", `<link rel=canonical href="`+other.URL+`/"><p>x`)
	site := opened(t, s.URL)
	require.Empty(t, site.Sitemap(t.Context(), 10))
	page, err := site.Fetch(t.Context(), s.URL+"/")
	require.NoError(t, err)
	require.Equal(t, []string{s.URL + "/b"}, page.Links)
	page, err = site.Fetch(t.Context(), s.URL+"/canonical")
	require.NoError(t, err)
	require.Equal(t, s.URL+"/canonical", page.URL)
	failure := refused(t, site, other.URL+"/")
	require.True(t, failure.Skipped)
	require.Equal(t, "is on another host", failure.Reason)
	require.Empty(t, other.seen())
}

func TestAtMostTenSitemapsAreRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var read atomic.Int64
	var index strings.Builder
	for i := range 50 {
		path := fmt.Sprintf("/map%d.xml", i)
		fmt.Fprintf(&index, "<sitemap><loc>%s%s</loc></sitemap>", s.URL, path)
		s.paths[path] = func(w http.ResponseWriter, _ *http.Request) {
			read.Add(1)
			_, _ = fmt.Fprintf(w, "<urlset><url><loc>%s/%d</loc></url></urlset>", s.URL, i)
		}
	}
	s.set("/sitemap.xml", "<sitemapindex>"+index.String()+"</sitemapindex>")
	require.Len(t, opened(t, s.URL).Sitemap(t.Context(), 100), 9, "the index is the first of the ten")
	require.Equal(t, int64(9), read.Load())
}

func TestASitemapThatListsItselfIsReadABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.set("/sitemap.xml", "<sitemapindex><sitemap><loc>"+s.URL+"/sitemap.xml</loc></sitemap></sitemapindex>")
	require.Empty(t, opened(t, s.URL).Sitemap(t.Context(), 100))
	require.LessOrEqual(t, len(s.seen()), 11)
}

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	_, err := io.WriteString(packer, content)
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	return packed.Bytes()
}

func TestCompressedSitemapsAreRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.set("/robots.txt", "Sitemap: "+s.URL+"/sitemap.xml.gz\n")
	s.set("/sitemap.xml.gz", string(gzipped(t, "<urlset><url><loc>"+s.URL+"/a</loc></url></urlset>")))
	require.Equal(t, []string{s.URL + "/a"}, opened(t, s.URL).Sitemap(t.Context(), 10))
}

func TestAnInvalidCertificateIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, err := open(t.Context(), server.URL)
	require.EqualError(t, err, "has an invalid TLS certificate")
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	started := make(chan struct{})
	s.paths["/slow"] = func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	}
	site := opened(t, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := site.Fetch(ctx, s.URL+"/slow")
	require.Error(t, err)
}

func TestAResponseThatIsCutShortFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.paths["/cut"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "<p>only a part")
	}
	require.Equal(t, "could not be reached", refused(t, opened(t, s.URL), s.URL+"/cut").Reason)
}
