//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	tick      = time.Second / 100 // of /proc/PID/stat: USER_HZ is 100 on Linux
	startWait = 30 * time.Second
)

// The names of the servers in the tables.
const (
	floorName   = "floor"
	convoName   = "convo"
	workersName = "convo with workers"
	fastifyName = "fastify"
)

// contestant is a server to start.
type contestant struct {
	name      string
	postsOnly bool // reads are not different from those of another contestant
	// drained is a query that counts what its workers have yet to process.
	drained     string
	command     func(f *fixture, self string) []string
	environment []string
}

var contestants = []contestant{
	{name: floorName, command: func(_ *fixture, self string) []string { return []string{self, "floor"} }},
	{name: convoName, command: func(f *fixture, _ string) []string { return []string{f.Binary, "serve", "--workers=false"} }},
	{
		name: workersName, postsOnly: true, drained: pendingQuery,
		command: func(f *fixture, _ string) []string { return []string{f.Binary, "serve"} },
	},
	{name: fastifyName, environment: []string{"NODE_ENV=production"}, command: func(f *fixture, _ string) []string {
		return []string{"node", filepath.Join(f.Fastify, "server.js")}
	}},
}

// pendingQuery is above 0 while there are events without a number.
const pendingQuery = "SELECT count(*) FROM (SELECT FROM event_outbox LIMIT 1) AS pending"

// server is a process under test that serves leads.
type server struct {
	name      string
	addr      string
	cmd       *exec.Cmd
	log       string // path
	postsOnly bool
	// drained reports whether the workers of this server have caught up; nil if it has none.
	drained func(context.Context) (bool, error)
}

// startAll starts the servers, each on a copy of the database.
func (f *fixture) startAll(ctx context.Context, dir string, g *ground, contestants []contestant) ([]*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own path: %w", err)
	}
	var tokens []string
	for _, t := range g.workspaces {
		tokens = append(tokens, t.token+"="+t.id.String())
	}
	shared := []string{
		"CONVO_ADDR=127.0.0.1:0", "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "BENCH_TOKENS=" + strings.Join(tokens, ","),
	}
	var all []*server
	for i, one := range contestants {
		url, err := g.copied(ctx, "bench_"+strconv.Itoa(i), floorOutbox)
		if err != nil {
			return all, err
		}
		s, err := start(ctx, dir, strings.ReplaceAll(one.name, " ", "-"), one.command(f, self), slices.Concat(shared, one.environment, []string{"DATABASE_URL=" + url}))
		if s != nil {
			s.name, s.postsOnly = one.name, one.postsOnly
			all = append(all, s)
		}
		if err != nil {
			return all, err
		}
		if one.drained != "" {
			s.drained = counter(url, one.drained)
		}
	}
	return all, nil
}

// counter returns a function that reports whether a query counts nothing.
func counter(url, query string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return false, fmt.Errorf("connect: %w", err)
		}
		var left int
		err = conn.QueryRow(ctx, query).Scan(&left)
		return left == 0, errors.Join(err, conn.Close(ctx))
	}
}

var listening = regexp.MustCompile(`"addr":"(127\.0\.0\.1:\d+)"`)

func start(ctx context.Context, dir, name string, command, environment []string) (*server, error) {
	log := filepath.Join(dir, name+".log")
	output, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer output.Close()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s := &server{name: name, cmd: cmd, log: log}
	for deadline := time.Now().Add(startWait); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		said, err := os.ReadFile(log)
		if err != nil {
			return s, fmt.Errorf("log of %s: %w", name, err)
		}
		if found := listening.FindSubmatch(said); found != nil {
			s.addr = string(found[1])
			if response, err := http.Get("http://" + s.addr + "/readyz"); err == nil {
				_ = response.Body.Close()
				return s, nil
			}
		}
	}
	said, _ := os.ReadFile(log)
	return s, fmt.Errorf("%s did not start: %s", name, said)
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have exited
	_ = s.cmd.Wait()                          // exits because of the signal
}

// lastLines returns the end of the server's log.
func (s *server) lastLines() []byte {
	const most = 1 << 10 // bytes
	said, _ := os.ReadFile(s.log)
	return said[max(0, len(said)-most):]
}

// used is CPU time.
type used struct{ own, postgres time.Duration }

// measureCPU returns the CPU time that a server and PostgreSQL have used so far.
func measureCPU(g *ground, s *server) (used, error) {
	own, err := processCPU(s.cmd.Process.Pid, false)
	if err != nil {
		return used{}, err
	}
	pg, err := g.cpu()
	return used{own, pg}, err
}

// memory is the memory of a process, in bytes.
type memory struct {
	peak   int64 // resident at most
	mapped int64 // of that, pages of files, which is the binary: the kernel keeps them once for all processes, and can drop them
}

func (m memory) String() string {
	return fmt.Sprintf("%.0f MB, %.0f of them mapped from the binary", float64(m.peak)/1e6, float64(m.mapped)/1e6)
}

// memory returns the memory of the server so far (proc_pid_status(5)).
func (s *server) memory() (m memory) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		kilobytes, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
		case name == "VmHWM":
			m.peak = kilobytes << 10
		case name == "RssFile":
			m.mapped = kilobytes << 10
		}
	}
	return m
}

// processCPU returns the CPU time of a process, optionally including its terminated
// children (utime, stime, cutime and cstime in proc(5)).
func processCPU(pid int, withEnded bool) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time: %w", err)
	}
	_, rest, ok := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	const utime, ended = 11, 13
	if !ok || len(fields) < ended+2 {
		return 0, fmt.Errorf("CPU time: unexpected /proc/%d/stat", pid)
	}
	last := ended
	if withEnded {
		last = ended + 2
	}
	var total time.Duration
	for _, field := range fields[utime:last] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time: %w", err)
		}
		total += time.Duration(ticks) * tick
	}
	return total, nil
}
