package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/watch"
)

// These tests run the binary in separate processes, as users do.

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "convo-cmd-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "convo")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a running convo process.
type process struct {
	*exec.Cmd

	output *watch.Text
	addr   string
	dir    string
	ended  chan struct{}
}

// listens matches the address in the output of dev and in the log of serve.
var listens = regexp.MustCompile(`(?:Health    http://|"addr":")(127\.0\.0\.1:\d+)`)

// command returns a convo command that has not been started.
func command(t *testing.T, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABASE_URL=") && !strings.HasPrefix(variable, "CONVO_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, environment...)
	return cmd
}

// runCommand runs a command and returns its standard output.
func runCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := command(t, []string{"CONVO_DATA_DIR=" + dir}, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	return string(out)
}

func start(t *testing.T, environment []string, args ...string) *process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	return startBinary(t, path, environment, args...)
}

// startBinary is start with another convo binary.
func startBinary(t *testing.T, path string, environment []string, args ...string) *process {
	t.Helper()
	p := &process{output: &watch.Text{}, ended: make(chan struct{})}
	p.Cmd = command(t, append(slices.Clip(environment), "CONVO_ADDR=127.0.0.1:0"), args...)
	p.Path, p.Args[0] = path, path
	p.Stdout, p.Stderr = p.output, p.output
	require.NoError(t, p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait() // its exit code is in ProcessState
	}()
	t.Cleanup(func() { p.stop(t, syscall.SIGTERM) })
	p.addr = listens.FindStringSubmatch(p.output.Wait(t, listens.MatchString))[1]
	require.Eventually(t, func() bool {
		status, _ := p.get("/readyz", "")
		return status == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "%s", p.output)
	return p
}

func dev(t *testing.T, dir string) *process {
	t.Helper()
	p := start(t, []string{"CONVO_DATA_DIR=" + dir}, "dev")
	p.dir = dir
	return p
}

// sharing returns the environment of a server on the database and with the key of a
// running convo dev.
func sharing(t *testing.T, dir string) []string {
	t.Helper()
	url, err := os.ReadFile(filepath.Join(dir, urlFile))
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(dir, "secret-key"))
	require.NoError(t, err)
	return []string{"DATABASE_URL=" + strings.TrimSpace(string(url)), "CONVO_SECRET_KEY=" + strings.TrimSpace(string(key))}
}

// stop sends a signal and waits until the process exits. It returns the exit code.
func (p *process) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	_ = p.Process.Signal(signal) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		require.Fail(t, "the process does not stop", "%s", p.output)
	}
	return p.ProcessState.ExitCode()
}

func (p *process) get(path, token string) (int, []byte) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		return 0, nil
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, body
}

func TestDevServesDemoDataAndStopsCleanly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := dev(t, dir)
	require.Regexp(t, `convo_[0-9a-f]{32}`, p.output.String(), "it prints a token")
	line := regexp.MustCompile(`curl -H "Authorization: Bearer (convo_[0-9a-f]+)" "http://[^/]+([^"]+)"`).FindStringSubmatch(p.output.String())
	require.NotNil(t, line, "it prints a curl line: %s", p.output)
	status, body := p.get(line[2], line[1])
	require.Equal(t, http.StatusOK, status)
	var leads []map[string]any
	require.NoError(t, json.Unmarshal(body, &leads))
	require.Len(t, leads, 3)
	requireRepliesDelivered(t, p, line[1])

	token := strings.TrimSpace(runCommand(t, dir, "token", "create", "--workspace", "other", "--name", "ci", "--scope", "leads:read", "--scope", "agents:read", "--expires-in", "720h"))
	require.Regexp(t, `^convo_[0-9a-f]{32}$`, token, "prints only the token")
	status, _ = p.get("/api/v1/agents", token)
	require.Equal(t, http.StatusOK, status)
	status, _ = p.get("/api/v1/conversations", token)
	require.Equal(t, http.StatusForbidden, status)
	listed := runCommand(t, dir, "token", "list", "--workspace", "other")
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(listed)
	runCommand(t, dir, "token", "revoke", "--workspace", "other", id)
	require.Eventually(t, func() bool {
		status, _ := p.get("/api/v1/agents", token)
		return status == http.StatusUnauthorized
	}, time.Second, 5*time.Millisecond, "a revocation by another process takes effect within a second")

	require.Contains(t, runCommand(t, dir, "seed", "--leads", "2500", "--workspace", "large"), "loaded 2500 leads into large")
	require.Contains(t, runCommand(t, dir, "seed"), "not empty")
	require.Contains(t, runCommand(t, dir, "migrate", "status"), "schema version")

	require.Zero(t, p.stop(t, syscall.SIGTERM), "%s", p.output)
	require.NoFileExists(t, filepath.Join(dir, "postgres", "data", "postmaster.pid"), "the database is stopped too")
	again := dev(t, dir)
	status, _ = again.get("/api/v1/leads", line[1])
	require.Equal(t, http.StatusOK, status, "data and token are kept between starts")
	requireRepliesDelivered(t, again, line[1])
}

func TestDevRecoversWhenKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := dev(t, dir)
	token, err := os.ReadFile(filepath.Join(dir, "demo-token"))
	require.NoError(t, err)
	p.stop(t, syscall.SIGKILL)
	again := dev(t, dir)
	status, _ := again.get("/api/v1/leads", strings.TrimSpace(string(token)))
	require.Equal(t, http.StatusOK, status)
}

func TestServeRunsAsReplicas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := dev(t, dir)
	environment := sharing(t, dir)
	one, two := start(t, environment, "serve"), start(t, environment, "serve")
	token := strings.TrimSpace(runCommand(t, dir, "token", "create", "--workspace", "demo", "--name", "ci", "--scope", "leads:read"))
	for _, replica := range []*process{p, one, two} {
		status, _ := replica.get("/api/v1/leads", token)
		require.Equal(t, http.StatusOK, status)
	}
	id := regexp.MustCompile(`([0-9a-f-]{36})\s+ci`).FindStringSubmatch(runCommand(t, dir, "token", "list", "--workspace", "demo"))
	runCommand(t, dir, "token", "revoke", "--workspace", "demo", id[1])
	for _, replica := range []*process{p, one, two} {
		require.Eventually(t, func() bool {
			status, _ := replica.get("/api/v1/leads", token)
			return status == http.StatusUnauthorized
		}, time.Second, 5*time.Millisecond)
	}
	require.Zero(t, one.stop(t, syscall.SIGTERM))
	require.NotContains(t, one.output.String(), token)
}

func TestCommandsReportUsageErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"CONVO_SECRET_KEY is not set":                                       {"serve", "--database-url", "postgres://127.0.0.1:1/x"},
		"DATABASE_URL is not set, and no convo dev is running with data in": {"token", "list", "--workspace", "demo"},
		"unknown flag":           {"serve", "--nonsense"},
		"missing flags: --scope": {"token", "create", "--workspace", "demo", "--name", "x"},
		"missing flags: --workspace=WORKSPACE,... or --delete": {"user", "remove", "--email", "x@example.com"},
		"can't be used together":                               {"user", "remove", "--email", "x@example.com", "--workspace", "demo", "--delete"},
	} {
		out, err := command(t, []string{"CONVO_DATA_DIR=" + dir}, args...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), want)
	}
	require.Contains(t, runCommand(t, dir, "version"), "convo ")
}

func TestServerExportsTraces(t *testing.T) {
	t.Parallel()
	received := make(chan []byte, 16)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- append([]byte(r.URL.Path+" "), body...)
	}))
	defer collector.Close()
	dir := t.TempDir()
	p := start(t, []string{"CONVO_DATA_DIR=" + dir, "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_COMPRESSION=none"}, "dev")
	token, err := os.ReadFile(filepath.Join(dir, "demo-token"))
	require.NoError(t, err)
	status, _ := p.get("/api/v1/agents", strings.TrimSpace(string(token)))
	require.Equal(t, http.StatusOK, status)
	require.Zero(t, p.stop(t, syscall.SIGTERM))
	close(received) // all spans are exported before the process exits
	var all bytes.Buffer
	for spans := range received {
		require.True(t, bytes.HasPrefix(spans, []byte("/v1/traces ")))
		all.Write(spans)
	}
	require.Contains(t, all.String(), "/api/v1/agents")
	require.Contains(t, all.String(), "AgentList", "statements have spans too")
}
