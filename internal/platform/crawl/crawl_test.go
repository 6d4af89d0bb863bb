package crawl_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/crawl"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/reader"
)

// open opens a site on this machine.
func open(ctx context.Context, address string) (*crawl.Site, error) {
	start, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	program, err := reader.Path()
	if err != nil {
		return nil, err
	}
	return crawl.Open(ctx, crawl.Options{
		Guard: egress.NewGuard(egress.Loopback()), Reader: &extract.Runner{Binary: program}, Start: start, Accepts: []string{"text/html", "text/plain"},
	})
}

func opened(t *testing.T, address string) *crawl.Site {
	t.Helper()
	site, err := open(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(site.Close)
	return site
}

// refused requires that fetching a page fails, and returns why.
func refused(t *testing.T, site *crawl.Site, address string) *crawl.PageError {
	t.Helper()
	_, err := site.Fetch(t.Context(), address)
	var failure *crawl.PageError
	require.ErrorAs(t, err, &failure)
	return failure
}

func TestFetchReturnsTextAndLinks(t *testing.T) {
	t.Parallel()
	address := serve(t, "", `<html><head><title>Shop</title><link rel=canonical href="/shop?b=1&amp;a=2"></head><body>
		<p>Żółte buty.</p><a href="/a">a</a><a href="/a#part">a again</a><a href="b/../c">c</a>
		<a rel=nofollow href="/hidden">h</a><a href="https://other.example/">o</a><a href="mailto:x@example.com">m</a>`, nil)
	page, err := opened(t, address).Fetch(t.Context(), address+"/")
	require.NoError(t, err)
	require.NoError(t, page.Unreadable)
	require.Equal(t, "Shop", page.Index.Passages[0].Heading)
	require.Contains(t, page.Index.Passages[0].Text, "Żółte buty.")
	require.Equal(t, address+"/shop?a=2&b=1", page.URL)
	require.Equal(t, []string{address + "/a", address + "/c"}, page.Links)
}

func TestFetchHonorsBaseAndMetaRobots(t *testing.T) {
	t.Parallel()
	address := serve(t, "", `<p>x`, map[string]string{
		"/base":     `<base href="/docs/"><p>x<a href="a">a</a>`,
		"/nofollow": `<meta name=robots content="nofollow"><p>x<a href="a">a</a>`,
		"/noindex":  `<meta name=ConvoBot content="NOINDEX"><p>x`,
		"/empty":    `<a href="/a"></a>`,
	})
	site := opened(t, address)
	page, err := site.Fetch(t.Context(), address+"/base")
	require.NoError(t, err)
	require.Equal(t, []string{address + "/docs/a"}, page.Links)
	page, err = site.Fetch(t.Context(), address+"/nofollow")
	require.NoError(t, err)
	require.Empty(t, page.Links)
	failure := refused(t, site, address+"/noindex")
	require.True(t, failure.Skipped)
	require.Equal(t, "asks not to be indexed", failure.Reason)
	page, err = site.Fetch(t.Context(), address+"/empty")
	require.NoError(t, err)
	require.Error(t, page.Unreadable)
	require.Equal(t, []string{address + "/a"}, page.Links, "a page without text can have links")
}

func TestFetchReadsTheCharsetOfTheResponse(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=iso-8859-2")
		_, _ = w.Write([]byte("za\xbf\xf3\xb3\xe6"))
	}))
	t.Cleanup(server.Close)
	page, err := opened(t, server.URL).Fetch(t.Context(), server.URL+"/")
	require.NoError(t, err)
	require.Equal(t, "zażółć", page.Index.Passages[0].Text)
}

func TestIdentityIsNoContentEncoding(t *testing.T) {
	t.Parallel()
	for encoding, content := range map[string]string{"identity": "<p>x", "Identity": "<p>x", "GZIP": string(gzipped(t, "<p>x"))} {
		address := serve(t, encoding, content, nil)
		page, err := opened(t, address).Fetch(t.Context(), address+"/")
		require.NoError(t, err, encoding)
		require.Equal(t, "x", page.Index.Passages[0].Text, encoding)
	}
	for _, encoding := range []string{"br", "gzip, gzip", "identity, gzip"} {
		address := serve(t, encoding, "<p>x", nil)
		require.Equal(t, "uses a content encoding that was not requested", refused(t, opened(t, address), address+"/").Reason, encoding)
	}
}

func TestRobotsTxtIsHonored(t *testing.T) {
	t.Parallel()
	address := serve(t, "", "<p>x", map[string]string{
		"/robots.txt": "User-agent: *\nDisallow: /\n\nUser-agent: ConvoBot\nDisallow: /private\nCrawl-delay: 99\n", "/private/a": "<p>x",
	})
	site := opened(t, address)
	require.Equal(t, 10*time.Second, site.Delay(), "a site cannot ask for more")
	failure := refused(t, site, address+"/private/a")
	require.True(t, failure.Skipped)
	require.Equal(t, "is disallowed by robots.txt", failure.Reason)
	_, err := site.Fetch(t.Context(), address+"/")
	require.NoError(t, err)
}

func TestFailingRobotsTxtForbidsEverything(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	_, err := open(t.Context(), server.URL)
	require.EqualError(t, err, "returned status 503 for its robots.txt")
}

func TestRedirectsStayOnTheSite(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		targets := map[string]string{
			"/moved": "/final", "/loop": "/loop", "/away": "http://10.255.255.1/", "/closed": "/private", "/long": "/?q=" + strings.Repeat("x", 3000),
		}
		if target, ok := targets[r.URL.Path]; ok {
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		if r.URL.Path == "/robots.txt" {
			_, _ = w.Write([]byte("User-agent: *\nDisallow: /private\n"))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<p>x"))
	}))
	t.Cleanup(server.Close)
	site := opened(t, server.URL)
	page, err := site.Fetch(t.Context(), server.URL+"/moved")
	require.NoError(t, err)
	require.Equal(t, server.URL+"/final", page.URL)
	for path, reason := range map[string]string{
		"/loop": "redirects too often", "/away": "redirects to another host", "/closed": "redirects to a page that robots.txt disallows",
		"/long": "redirects to an address longer than 2048 characters",
	} {
		require.Equal(t, reason, refused(t, site, server.URL+path).Reason)
	}
}

func TestOnlySupportedResponsesAreRead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/image":
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write([]byte("png"))
		case "/huge", "/chunked":
			w.Header().Set("Content-Type", "text/html")
			if r.URL.Path == "/chunked" {
				w.(http.Flusher).Flush() // without a Content-Length
			}
			_, _ = w.Write(make([]byte, 6<<20))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	site := opened(t, server.URL)
	for path, reason := range map[string]string{
		"/image": "has a media type that is not supported", "/huge": "is larger than 5 MiB", "/chunked": "is larger than 5 MiB", "/absent": "returned status 404",
	} {
		require.Equal(t, reason, refused(t, site, server.URL+path).Reason)
	}
}

func TestSitemapsListPagesOfTheHost(t *testing.T) {
	t.Parallel()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := map[string]string{
			"/robots.txt": "Sitemap: " + server.URL + "/index.xml\n",
			"/index.xml":  "<sitemapindex><sitemap><loc>" + server.URL + "/one.xml</loc></sitemap><sitemap><loc>" + server.URL + "/broken.xml</loc></sitemap></sitemapindex>",
			"/one.xml":    "<urlset><url><loc>" + server.URL + "/a</loc></url><url><loc>" + server.URL + "/a#x</loc></url><url><loc>https://other.example/</loc></url><url><loc>" + server.URL + "/b</loc></url></urlset>",
			"/broken.xml": "<urlset",
		}[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(content))
	}))
	t.Cleanup(server.Close)
	site := opened(t, server.URL)
	require.Equal(t, []string{server.URL + "/a", server.URL + "/b"}, site.Sitemap(t.Context(), 10))
	require.Equal(t, []string{server.URL + "/a"}, site.Sitemap(t.Context(), 1))
}

// TestErrorsDoNotDescribeTheNetwork compares an address that may not be reached, a port
// that is closed and a name that does not exist: a caller must not map the network.
func TestErrorsDoNotDescribeTheNetwork(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, address := range []string{closed.URL, "http://10.0.0.1", "http://169.254.169.254", "http://does-not-exist.invalid", "http://[fd00::1]"} {
		_, err := open(t.Context(), address)
		require.EqualError(t, err, "could not be reached", address)
	}
}
