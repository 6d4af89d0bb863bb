package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kill kills the server's main process, as a crash would, and waits until the processes of
// its sessions have noticed and exited: until then it cannot be started again.
func (s *Server) Kill(ctx context.Context) error {
	content, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("process of the server: %w", err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return fmt.Errorf("process of the server: %w", err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return fmt.Errorf("processes of the sessions: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	for field := range strings.FieldsSeq(line + " " + string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("processes of the sessions: %w", err)
		}
		if err := exited(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

// exited waits until a process that is not a child of this one has exited.
func exited(ctx context.Context, pid int) error {
	const poll = 5 * time.Millisecond
	for {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || isZombie(pid) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d has not exited: %w", pid, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// isZombie reports whether a process has exited and its parent has not noticed.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
