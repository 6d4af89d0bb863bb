package docs_test

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// listen starts a server whose samples use its own address.
func listen(t *testing.T) *apitest.Server {
	t.Helper()
	config := apitest.Config{AllowedTargets: []string{"127.0.0.0/8"}}
	return apitest.New(t, apitest.Options{Config: config, PublicURL: true, Providers: channeltest.Registry()})
}

// fetch returns a page.
func fetch(t *testing.T, url string) (http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", url, body.String())
	return response.Header, body.String()
}

var curlSample = regexp.MustCompile(`(?s)<code id="([^"]+)" data-language="curl">(.*?)</code>`)

// curlSamples returns the curl samples of all pages in page order, with DELETE requests
// last.
func curlSamples(t *testing.T, s *apitest.Server) []string {
	t.Helper()
	var all []string
	for _, path := range pagePaths(t, s) {
		_, page := fetch(t, s.Origin+path)
		for _, found := range curlSample.FindAllStringSubmatch(page, -1) {
			all = append(all, html.UnescapeString(found[2]))
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return deletes(a) - deletes(b) })
	return all
}

func deletes(line string) int {
	if strings.Contains(line, "-X DELETE") {
		return 1
	}
	return 0
}

// TestCurlSamplesWork runs each curl sample unmodified in a shell and validates the
// response against the document.
func TestCurlSamplesWork(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is not installed, and this test runs the curl samples of the documentation (apt-get install curl)")
	}
	s := listen(t)
	space := s.Documented(t, apitest.NewReceiver(t, nil).URL)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "handbook.pdf"), []byte("%PDF-1.7\n%%EOF\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("silent\nshow-error\ndump-header = \""+filepath.Join(dir, "headers")+"\"\n"), 0o600))
	samples := curlSamples(t, s)
	seen := map[string]bool{}
	for _, line := range samples {
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Dir = dir
		command.Env = append(os.Environ(), "CURL_HOME="+dir, "AVELTO_TOKEN="+space.Token)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		body, err := command.Output()
		require.NoError(t, err, "%s\n%s", line, stderr.String())
		response := readHeaders(t, filepath.Join(dir, "headers"))
		response.Body = body
		require.Less(t, response.Status, 300, "%s\n%s", line, body)
		method, url := target(t, line)
		s.Check(t, method, url, response)
		seen[method+" "+url] = true
	}
	require.GreaterOrEqual(t, len(seen), len(s.Document.Operations), "every operation has a sample")
	apitest.Tallyf(t, "documentation: %d curl samples run, %d distinct requests, all responses as documented", len(samples), len(seen))
}

var (
	sampleURL    = regexp.MustCompile(`"(http[^"]+)"`)
	sampleMethod = regexp.MustCompile(`-X ([A-Z]+)`)
)

func target(t *testing.T, line string) (method, url string) {
	t.Helper()
	method = http.MethodGet
	if found := sampleMethod.FindStringSubmatch(line); found != nil {
		method = found[1]
	}
	found := sampleURL.FindStringSubmatch(line)
	require.NotNil(t, found, line)
	return method, found[1]
}

// readHeaders reads the response headers that curl dumped to a file.
func readHeaders(t *testing.T, file string) apitest.Response {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	reader := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw)))
	first, err := reader.ReadLine()
	require.NoError(t, err)
	header, err := reader.ReadMIMEHeader()
	require.NoError(t, err)
	status, err := strconv.Atoi(strings.Fields(first)[1])
	require.NoError(t, err)
	return apitest.Response{Status: status, Header: http.Header(header)}
}

// pagePaths returns the paths that the navigation and the error list link to.
func pagePaths(t *testing.T, s *apitest.Server) []string {
	t.Helper()
	_, overview := fetch(t, s.Origin+"/docs")
	_, errors := fetch(t, s.Origin+"/docs/errors")
	var all []string
	for _, found := range link.FindAllStringSubmatch(overview+errors, -1) {
		path, _, _ := strings.Cut(html.UnescapeString(found[1]), "#")
		if strings.HasPrefix(path, "/docs") && !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	require.Greater(t, len(all), 40, fmt.Sprint(all))
	return all
}

var link = regexp.MustCompile(`href="([^"]+)"`)
