package docs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
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
	return apitest.New(t, apitest.Options{PublicURL: true, Workers: true, Providers: channeltest.Registry()})
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

// sampleCode returns the samples of a page in a language, without their highlighting.
func sampleCode(page, language string) (all []string) {
	code := regexp.MustCompile(`(?s)<code id="[^"]+" data-language="` + language + `">(.*?)</code>`)
	for _, found := range code.FindAllStringSubmatch(page, -1) {
		all = append(all, html.UnescapeString(tag.ReplaceAllString(found[1], "")))
	}
	return all
}

var tag = regexp.MustCompile(`<[^>]+>`)

// samplePage holds the samples of a page: what creates the resources that they use, and
// the curl samples, with DELETE requests last.
type samplePage struct {
	setup                 string
	lines, python, golang []string
}

func samplePages(t *testing.T, s *apitest.Server) (all []samplePage) {
	t.Helper()
	for _, path := range pagePaths(t, s) {
		_, page := fetch(t, s.Origin+path)
		var one samplePage
		if found := sampleCode(page, "shell"); len(found) > 0 && strings.Contains(page, `id="setup"`) {
			one.setup = found[0]
		}
		one.lines = sampleCode(page, "curl")
		one.python, one.golang = sampleCode(page, "python"), sampleCode(page, "go")
		for _, programs := range [][]string{one.lines, one.python} {
			slices.SortStableFunc(programs, func(a, b string) int { return deletes(a) - deletes(b) })
		}
		all = append(all, one)
	}
	return all
}

func deletes(line string) int {
	if strings.Contains(line, "-X DELETE") || strings.Contains(line, "requests.delete(") {
		return 1
	}
	return 0
}

// TestSamplesWork shares a server and its pages.
func TestSamplesWork(t *testing.T) {
	t.Parallel()
	s := listen(t)
	demo, other := s.Demo(t)
	pages := samplePages(t, s)
	for name, token := range map[string]string{"empty": s.Token(t, s.Workspace(t, "empty")), "demo": demo.Token, "other": other.Token} {
		t.Run("curl/"+name, func(t *testing.T) { curlSamplesWork(t, s, pages, token) })
	}
	t.Run("go", func(t *testing.T) { goSamplesCompile(t, s, pages) })
	t.Run("python", func(t *testing.T) { pythonSamplesWork(t, s, pages) })
}

// curlSamplesWork runs each curl sample unmodified in a shell, after the commands of
// its page that create what it uses, and validates the response against the document: in
// an empty workspace, and in both of the demo.
func curlSamplesWork(t *testing.T, s *apitest.Server, pages []samplePage, token string) {
	t.Helper()
	t.Parallel()
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed, and this test runs the samples of the documentation (apt-get install %s)", tool, tool)
		}
	}
	shell := newShell(t, s, token)
	for _, page := range pages {
		shell.create(t, page.setup)
		for _, line := range page.lines {
			shell.run(t, line)
		}
	}
	require.GreaterOrEqual(t, len(shell.seen), len(s.Document.Operations), "every operation has a sample")
	apitest.Tallyf(t, "documentation: %d curl samples run, all responses as documented", shell.count)
}

// shell runs samples in a directory with the file that they upload.
type shell struct {
	server      *apitest.Server
	dir         string
	environment []string
	seen        map[string]bool
	count       int
}

func newShell(t *testing.T, s *apitest.Server, token string) *shell {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "handbook.pdf"), []byte("%PDF-1.7\n%%EOF\n"), 0o600))
	config := "silent\nshow-error\ndump-header = \"" + filepath.Join(dir, "headers") + "\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".curlrc"), []byte(config), 0o600))
	return &shell{server: s, dir: dir, environment: append(os.Environ(), "CURL_HOME="+dir, "AVELTO_TOKEN="+token), seen: map[string]bool{}}
}

// output runs a script.
func (s *shell) output(t *testing.T, script string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", script)
	command.Dir, command.Env = s.dir, s.environment
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "%s\n%s", script, stderr.String())
	return out
}

// create runs the script that creates what a page uses, and keeps the variables that it
// exports.
func (s *shell) create(t *testing.T, script string) {
	t.Helper()
	if script == "" {
		return
	}
	for line := range strings.Lines(string(s.output(t, script+"\nenv"))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasSuffix(name, "_ID") || name == "PROVIDER" {
			require.NotContains(t, []string{"", "null"}, value, name)
			s.environment = append(s.environment, name+"="+value)
		}
	}
}

// run runs a sample.
func (s *shell) run(t *testing.T, line string) {
	t.Helper()
	body := s.output(t, line)
	response := readHeaders(t, filepath.Join(s.dir, "headers"))
	response.Body = body
	method, url := target(t, line)
	operation := method + " " + variable.ReplaceAllString(url, "{}")
	if !refusable.MatchString(operation) {
		require.Less(t, response.Status, 300, "%s\n%s", line, body)
	}
	require.Less(t, response.Status, 500, "%s\n%s", line, body)
	s.server.Check(t, method, os.Expand(url, s.variable), response)
	s.seen[operation] = true
	s.count++
}

// variable returns the value of an environment variable.
func (s *shell) variable(name string) string {
	for _, one := range slices.Backward(s.environment) {
		if value, ok := strings.CutPrefix(one, name+"="); ok {
			return value
		}
	}
	return ""
}

var (
	variable = regexp.MustCompile(`\$[A-Z_]+`)
	// refusable are the operations that need the account of a provider or what a contact
	// sent (chain.Provided), and the cancellation of a job that may be faster.
	refusable = regexp.MustCompile(`/template-message$|/templates\?|/attachments/|/cancel$`)
)

// goSamplesCompile checks the Go samples with go vet, as formatted by gofmt.
func goSamplesCompile(t *testing.T, s *apitest.Server, pages []samplePage) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module samples\n\ngo 1.24\n"), 0o600))
	count := 0
	for _, page := range pages {
		for _, code := range page.golang {
			if !strings.HasPrefix(code, "package main") {
				continue
			}
			formatted, err := format.Source([]byte(code))
			require.NoError(t, err, code)
			require.Equal(t, strings.TrimSpace(string(formatted)), code)
			count++
			name := filepath.Join(dir, fmt.Sprintf("sample%d", count))
			require.NoError(t, os.Mkdir(name, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(name, "main.go"), []byte(code), 0o600))
		}
	}
	require.GreaterOrEqual(t, count, len(s.Document.Operations))
	command := exec.CommandContext(t.Context(), "go", "vet", "./...")
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
}

// pythonPath is where `make contract-tools` installs requests.
const pythonPath = "../../../.cache/contract/bin/python"

// runPython runs each program on standard input, a JSON array, as one of its own.
const runPython = `
import json, os, sys
for page in json.load(sys.stdin):
    os.environ.update(page["environment"])
    for code in page["programs"]:
        try:
            exec(compile(code, "sample", "exec"), {})
        except BaseException as error:
            sys.exit(f"{code}\n\n{error!r}")
`

// pythonSamplesWork runs each Python sample in an empty workspace.
func pythonSamplesWork(t *testing.T, s *apitest.Server, pages []samplePage) {
	t.Helper()
	t.Parallel()
	shell := newShell(t, s, s.Token(t, s.Workspace(t, "python")))
	type batch struct {
		Environment map[string]string `json:"environment"`
		Programs    []string          `json:"programs"`
	}
	var batches []batch
	count := 0
	for _, page := range pages {
		shell.create(t, page.setup)
		one := batch{Environment: map[string]string{}}
		for _, pair := range shell.environment {
			name, value, _ := strings.Cut(pair, "=")
			one.Environment[name] = value
		}
		one.Programs = slices.DeleteFunc(append([]string{}, page.python...), refused)
		count += len(one.Programs)
		batches = append(batches, one)
	}
	require.GreaterOrEqual(t, count, len(s.Document.Operations)-4)
	in, err := json.Marshal(batches)
	require.NoError(t, err)
	python, err := filepath.Abs(pythonPath)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), python, "-c", runPython)
	command.Dir, command.Stdin = shell.dir, bytes.NewReader(in)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "`make contract-tools` installs requests\n%s", out)
}

// refused reports whether a Python sample may be refused, see refusable, or is not a call.
func refused(code string) bool {
	return !strings.HasPrefix(code, "import") || strings.Contains(code, "/template-message") || strings.Contains(code, "/templates") ||
		strings.Contains(code, "/attachments/") || strings.Contains(code, "/cancel") || !strings.Contains(code, "requests.")
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
