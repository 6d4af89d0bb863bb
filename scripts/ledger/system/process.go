//go:build linux

package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 2 * time.Minute
	stopTimeout  = time.Minute
	readyPoll    = 20 * time.Millisecond
)

// Process is a convo process, which reaches the database by a link of its own.
type Process struct {
	Name     string
	Database *Link

	binary      string
	args        []string
	environment []string
	address     string
	log         string // file
	cmd         *exec.Cmd
	exited      chan struct{}
}

// Start starts the process and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.Name, err)
	}
	defer output.Close()
	cmd := exec.Command(p.binary, p.args...) //nolint:noctx // is stopped gracefully
	cmd.Env, cmd.Stdout, cmd.Stderr = p.environment, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its exit code is in ProcessState
	}()
	p.cmd, p.exited = cmd, exited
	return p.ready(ctx)
}

// ready waits until the process reports that it is ready.
func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for !isReady(ctx, p.address) {
		select {
		case <-p.exited:
			return fmt.Errorf("%s exited, see %s", p.Name, p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready, see %s: %w", p.Name, p.log, ctx.Err())
		case <-time.After(readyPoll):
		}
	}
	return nil
}

func isReady(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status is used
	return response.StatusCode == http.StatusOK
}

// Kill kills the process.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have exited
	<-p.exited
}

// Stop shuts the process down gracefully.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have exited
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.Kill()
		return fmt.Errorf("%s did not shut down", p.Name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s shut down with exit code %d, see %s", p.Name, code, p.log)
	}
	return nil
}

// run runs a convo command and returns its output.
func run(ctx context.Context, binary string, environment []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("convo %s: %w: %s", args[0], err, failed.Stderr)
	} else if err != nil {
		return "", fmt.Errorf("convo %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
