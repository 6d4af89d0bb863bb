package extract_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

const (
	address       = "https://example.com/docs/a"
	waitForReader = 30 * time.Second
	pollInterval  = 5 * time.Millisecond
)

func gzipped(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	packer := gzip.NewWriter(&b)
	_, err := io.WriteString(packer, content)
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	return b.Bytes()
}

func readPage(t *testing.T, content string) extract.Page {
	t.Helper()
	page, err := newRunner(t).ReadPage(t.Context(), extract.Task{Kind: extract.HTML, Address: address}, strings.NewReader(content))
	require.NoError(t, err)
	return page
}

func TestLinksOfAPageAreCanonicalAndBounded(t *testing.T) {
	t.Parallel()
	var links strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&links, "<a href=/%d>x</a><a href='/%d#part'>again</a>", i, i)
	}
	page := readPage(t, "<p>text"+links.String())
	require.Len(t, page.Links, 1000)
	require.Equal(t, "https://example.com/0", page.Links[0])
	require.Equal(t, "https://example.com/999", page.Links[999])
}

func TestRobotsMetaElements(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]struct {
		noIndex bool
		links   int
	}{
		`<meta name="robots" content="index, follow">`:                                                   {false, 1},
		`<meta name="ROBOTS" content="NoIndex">`:                                                         {true, 1},
		`<meta name="robots" content="none">`:                                                            {true, 0},
		`<meta name="robots" content="nofollow">`:                                                        {false, 0},
		`<meta name="convobot" content="noindex">`:                                                       {true, 1},
		`<meta name="googlebot" content="noindex, nofollow">`:                                            {false, 1},
		`<meta name="robots" content="noindex"><meta name="robots" content="index">`:                     {true, 1},
		`<meta property="robots" content="noindex"><meta name="description" content="noindex nofollow">`: {false, 1},
	} {
		page := readPage(t, content+`<p>text<a href="/b">b</a>`)
		require.Equal(t, want.noIndex, page.NoIndex, content)
		require.Len(t, page.Links, want.links, content)
	}
}

func TestCompressedPagesAreBounded(t *testing.T) {
	t.Parallel()
	runner, task := newRunner(t), extract.Task{Kind: extract.HTML, Address: address, Encoding: "gzip"}
	page, err := runner.ReadPage(t.Context(), task, bytes.NewReader(gzipped(t, "<p>text")))
	require.NoError(t, err)
	require.Equal(t, "text", page.Index.Passages[0].Text)
	packed := gzipped(t, "<p>text")
	for name, test := range map[string]struct {
		content []byte
		code    extract.Code
	}{
		"not gzip": {[]byte("<p>text"), extract.Corrupt},
		"empty":    {nil, extract.Corrupt},
		"cut":      {packed[:len(packed)-6], extract.Corrupt},
		"bomb":     {gzipped(t, strings.Repeat(" ", extract.MaxPage+1)), extract.TooLarge},
	} {
		_, err := runner.ReadPage(t.Context(), task, bytes.NewReader(test.content))
		var blame *extract.Error
		require.ErrorAs(t, err, &blame, name)
		require.Equal(t, test.code, blame.Code, name)
	}
}

func TestSitemapsThatAreHostileAreRefusedOrCut(t *testing.T) {
	t.Parallel()
	runner, task := newRunner(t), extract.Task{Address: "https://example.com/sitemap.xml"}
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "<url><loc> https://example.com/%d </loc></url><url><loc>/%d#again</loc></url><url><loc>https://other.example/%d</loc></url>", i, i, i)
	}
	listed, err := runner.ReadSitemap(t.Context(), task, strings.NewReader("<urlset>"+b.String()+"</urlset>"))
	require.NoError(t, err)
	require.Len(t, listed.Pages, 2000)
	require.Equal(t, "https://example.com/1999", listed.Pages[1999])
	listed, err = runner.ReadSitemap(t.Context(), task, strings.NewReader("<sitemapindex>"+strings.Repeat("<sitemap><loc>https://example.com/a</loc></sitemap>", 50)+"</sitemapindex>"))
	require.NoError(t, err)
	require.Len(t, listed.Maps, 10)
	for name, content := range map[string]string{
		"not XML": "hello", "empty": "", "cut": "<urlset><url>", "entities": `<!DOCTYPE u [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>/&b;</loc></url></urlset>`,
	} {
		_, err := runner.ReadSitemap(t.Context(), task, strings.NewReader(content))
		var blame *extract.Error
		require.ErrorAs(t, err, &blame, name)
		require.Equal(t, extract.Corrupt, blame.Code, name)
	}
}

// replacement is a shell script in the place of the reader.
func replacement(t *testing.T, script string) *extract.Runner {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reader")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return &extract.Runner{Binary: path}
}

// TestAReplyToAnotherTaskIsAnError covers readers of another version: they are not the
// fault of the file.
func TestAReplyToAnotherTaskIsAnError(t *testing.T) {
	t.Parallel()
	for _, script := range []string{`echo '{}'`, `echo '{"sitemap":null}'`, `echo 'not JSON'`, "true"} {
		runner := replacement(t, script)
		_, documentErr := runner.Read(t.Context(), extract.Text, strings.NewReader("x"))
		_, pageErr := runner.ReadPage(t.Context(), extract.Task{}, strings.NewReader(""))
		_, sitemapErr := runner.ReadSitemap(t.Context(), extract.Task{}, strings.NewReader(""))
		_, robotsErr := runner.ReadRobots(t.Context(), extract.Task{}, strings.NewReader(""))
		_, protectionsErr := runner.Protections(t.Context())
		for _, err := range []error{documentErr, pageErr, sitemapErr, robotsErr, protectionsErr} {
			var blame *extract.Error
			require.Error(t, err, script)
			require.NotErrorAs(t, err, &blame, script)
		}
	}
}

func TestACanceledReadKillsItsReader(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	require.NoError(t, os.WriteFile(started, nil, 0o600))
	runner := replacement(t, "rm "+started+"; exec tail -f /dev/null")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := runner.Read(ctx, extract.Text, strings.NewReader("x"))
		failed <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err != nil }, waitForReader, pollInterval)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
}
