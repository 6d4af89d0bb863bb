//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	tick      = time.Second / 100 // of /proc/PID/stat: USER_HZ is 100 on Linux
	startWait = 30 * time.Second
)

// server is a process under test that serves leads.
type server struct {
	name string
	addr string
	cmd  *exec.Cmd
}

// startAll starts convo and the references.
func (c *runCommand) startAll(ctx context.Context, dir string, g *ground) ([]*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own path: %w", err)
	}
	key := "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32)
	var all []*server
	for _, one := range []struct {
		name    string
		command []string
	}{
		{"floor", []string{self, "floor"}},
		{"convo", []string{c.Binary, "serve", "--workers=false"}},
		{"wired", []string{self, "wired"}},
	} {
		s, err := start(ctx, dir, one.name, one.command, []string{"DATABASE_URL=" + g.url, "CONVO_DATABASE_CONNS=16", "CONVO_ADDR=127.0.0.1:0", key})
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
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
	s := &server{name: name, cmd: cmd}
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

func (s *server) cpu() (time.Duration, error) { return processCPU(s.cmd.Process.Pid, false) }

// peakMemory returns the peak resident size in bytes.
func (s *server) peakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err == nil {
				return kilobytes << 10
			}
		}
	}
	return 0
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
