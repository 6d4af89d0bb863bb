package crawl_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/avelto/convo/internal/platform/crawl"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/bomb"
	"github.com/avelto/convo/internal/testing/cost"
)

// limit is what one page of up to 5 MiB may cost the server process.
var limit = cost.Limit(32<<20, 50*time.Millisecond)

// TestMain runs the tests, or is a reader process, or a server that crawls one page.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == extract.Command:
		err = extract.Main(context.Background(), os.Stdin, os.Stdout)
	case cost.Requested():
		err = cost.Report(visit)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// visit opens the site of a page, and fetches its sitemap and the page. It says how that
// went.
func visit(address string) string {
	site, err := open(context.Background(), address)
	if err == nil {
		defer site.Close()
		site.Sitemap(context.Background(), 200)
		var page *crawl.Page
		if page, err = site.Fetch(context.Background(), address); err == nil {
			err = page.Unreadable
		}
	}
	if err != nil {
		return err.Error()
	}
	return "read"
}

// serve serves one page, and what else is in paths, in a content encoding.
func serve(t *testing.T, encoding, page string, paths map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := paths[r.URL.Path]
		if r.URL.Path == "/" || r.URL.Path == longPath {
			content, ok = page, true
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
			}
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, content) // the client may hang up
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// longPath is one that patterns of robots.txt with wildcards can match in many ways.
var longPath = "/" + strings.Repeat("a", 1900)

// patterns are 500 kB of a robots.txt whose patterns match longPath except at the end.
func patterns(pattern string) map[string]string {
	line := "Disallow: /" + pattern + "z$\n"
	return map[string]string{"/robots.txt": "User-agent: *\n" + strings.Repeat(line, 500_000/len(line))}
}

// fonts are elements of which the parser of HTML copies all that are open into each
// paragraph.
func fonts() string {
	var b strings.Builder
	b.WriteString("<p>")
	for i := range 450 {
		fmt.Fprintf(&b, "<font a%d>", i)
	}
	b.WriteString(strings.Repeat("<p>x", (100_000-b.Len())/4))
	return b.String()
}

func manyLinks() string {
	var b strings.Builder
	b.WriteString("<p>Some text.")
	for i := range 60_000 {
		fmt.Fprintf(&b, "<a href=/%d>x</a>\n", i)
	}
	return b.String()
}

func TestHostilePagesCostTheServerLittle(t *testing.T) { //nolint:tparallel // each attack is measured alone
	t.Parallel()
	packed := string(bomb.Gzip(t, 600))
	quiet := serve(t, "", "<p>Hello.</p>", nil) + "/"
	sitemap := "<urlset>" + strings.Repeat("<url><loc>/a</loc></url>", (5<<20)/25) + "</urlset>"
	for _, test := range []struct {
		name, encoding, page string
		paths                map[string]string
		result               string
	}{
		{"encoding that was not requested", "x-gzip", packed, nil, "uses a content encoding that was not requested"},
		{"gzip bomb", "gzip", packed, nil, "It is larger than 5 MiB."},
		{"open elements", "", fonts(), nil, "Its reader ran out of memory or failed."},
		{"60,000 links", "", manyLinks(), nil, "read"},
		{"5 MiB of text", "", strings.Repeat("<p>"+strings.Repeat("word ", 200), 5200), nil, "It contains more than 1 MiB of text."},
		{"5 MiB of nothing", "", strings.Repeat("<b></b>", (5<<20)/7), nil, "It contains no text. Run text recognition on scanned documents first."},
		{"sitemap of 5 MiB", "", "<p>Hello.</p>", map[string]string{"/sitemap.xml": sitemap}, "read"},
		{"robots.txt of wildcards", "", "<p>Hello.</p>", patterns(strings.Repeat("a*", 271)), "has a robots.txt with more than 10000 wildcards"},
		{"robots.txt of long patterns", "", "<p>Hello.</p>", patterns(strings.Repeat(strings.Repeat("a", 50)+"*", 10)), "read"},
		{"robots.txt of short patterns", "", "<p>Hello.</p>", patterns("*aa"), "has a robots.txt with more than 10000 rules"},
		{"1 MiB of text", "", "<p>" + strings.Repeat("Customers can return shoes within thirty days if they are clean. ", (1<<20)/66), nil, "read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cost.Require(t, quiet, serve(t, test.encoding, test.page, test.paths)+longPath, test.result, limit)
		})
	}
}
