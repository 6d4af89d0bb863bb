package crawl_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/avelto/convo/internal/platform/crawl"
	"github.com/avelto/convo/internal/platform/extract"
)

// What one page of up to 5 MiB may cost the server process.
const (
	maxCostMemory = 32 << 20
	// An idle machine needs less than 50 ms. The attacks took seconds before the reader
	// process had them, so the limit leaves room for busy machines and the race detector.
	maxCostCPU = 500 * time.Millisecond
	// calm and attack are the environment variables with the addresses of two sites.
	calm, attack = "COST_CALM", "COST_ATTACK"
)

// TestMain runs the tests, or is a reader process, or a server that crawls one page.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == extract.Command:
		err = extract.Main(context.Background(), os.Stdin, os.Stdout)
	case os.Getenv(attack) != "":
		err = measure()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cost is what a page cost a process: the peak of its memory, and its CPU time without
// that of its reader processes.
type cost struct {
	Memory int64         `json:"memory"` // bytes
	CPU    time.Duration `json:"cpu"`
	Result string        `json:"result"`
}

// measure crawls a small page, so that everything is warm, then the attack.
func measure() error {
	visit(os.Getenv(calm))
	before, err := used()
	if err != nil {
		return err
	}
	result := visit(os.Getenv(attack))
	after, err := used()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(cost{after.Memory - before.Memory, after.CPU - before.CPU, result})
}

// visit opens a site and fetches its sitemap and one page, and says how that went.
func visit(address string) string {
	site, err := open(context.Background(), address)
	if err == nil {
		defer site.Close()
		site.Sitemap(context.Background(), 200)
		var page *crawl.Page
		if page, err = site.Fetch(context.Background(), address+"/"); err == nil {
			err = page.Unreadable
		}
	}
	if err != nil {
		return err.Error()
	}
	return "read"
}

func used() (cost, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return cost{}, err
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(peak)
	if len(fields) == 0 {
		return cost{}, errors.New("no VmHWM")
	}
	kibibytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return cost{}, err
	}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return cost{}, err
	}
	return cost{Memory: kibibytes << 10, CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, nil
}

// serve serves one page, and what else is in paths, in a content encoding.
func serve(t *testing.T, encoding, page string, paths map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := paths[r.URL.Path]
		if r.URL.Path == "/" {
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

// bomb is 600 MiB of spaces, packed.
func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	packer := gzip.NewWriter(&b)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 600 {
		_, err := packer.Write(spaces)
		require.NoError(t, err)
	}
	require.NoError(t, packer.Close())
	return b.String()
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

// TestHostilePagesCostTheServerLittle crawls in a process of its own, so that nothing
// else is measured.
func TestHostilePagesCostTheServerLittle(t *testing.T) { //nolint:tparallel // each attack is measured alone
	t.Parallel()
	packed := bomb(t)
	quiet := serve(t, "", "<p>Hello.</p>", nil)
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
		{"robots.txt of patterns", "", "<p>Hello.</p>", map[string]string{"/robots.txt": "User-agent: *\n" + strings.Repeat("Disallow: /*a\n", 30_000)}, "has a robots.txt with more than 1000 patterns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), calm+"="+quiet, attack+"="+serve(t, test.encoding, test.page, test.paths))
			said, err := cmd.Output()
			require.NoError(t, err)
			var got cost
			require.NoError(t, json.Unmarshal(said, &got))
			t.Logf("%d kB sent: %d MiB, %s", len(test.page)/1000, got.Memory>>20, got.CPU)
			require.Equal(t, test.result, got.Result)
			require.LessOrEqual(t, got.Memory, int64(maxCostMemory))
			require.LessOrEqual(t, got.CPU, maxCostCPU)
		})
	}
}
