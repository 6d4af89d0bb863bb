//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const profileSeconds = 8

// profileCommand takes CPU profiles of convo under the load of the closed loop, and prints
// the functions that take the most.
type profileCommand struct {
	fixture

	Top int    `default:"10" help:"Functions to print."`
	Dir string `default:".cache/profiles" help:"Directory for the profiles, for go tool pprof." type:"path"`
}

// Run implements the command.
func (c *profileCommand) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("directory of the profiles: %w", err)
	}
	ops, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	ours := contestants[1]
	ours.environment = append(ours.environment, "CONVO_OPS_ADDR="+ops)
	return c.with(ctx, []contestant{ours}, func(g *ground, servers []*server) error {
		for _, work := range []*workload{listWork, gzipWork, getWork, postTenWork} {
			path := filepath.Join(c.Dir, strings.NewReplacer(",", "", " ", "-").Replace(work.name)+".pprof")
			if err := c.profile(ctx, g, servers[0], work, ops, path); err != nil {
				return fmt.Errorf("%s: %w", work, err)
			}
		}
		return nil
	})
}

// profile takes a profile while the server is saturated, and prints it.
func (c *profileCommand) profile(ctx context.Context, g *ground, s *server, work *workload, ops, path string) error {
	loaded := make(chan error, 1)
	go func() {
		_, err := closedLoop(ctx, g, s, work, c.Conns, (profileSeconds+2)*time.Second)
		loaded <- err
	}()
	time.Sleep(time.Second) // until the load is steady
	if err := download(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", ops, profileSeconds), path); err != nil {
		return err
	}
	if err := <-loaded; err != nil {
		return err
	}
	for _, sort := range []string{"-flat", "-cum"} {
		fmt.Printf("\n%s, %s\n", work, sort[1:])
		cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", sort, fmt.Sprintf("-nodecount=%d", c.Top), path)
		cmd.Stdout = os.Stdout
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go tool pprof: %w", err)
		}
	}
	return nil
}

func download(ctx context.Context, url, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", response.Status)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	return nil
}

// freeAddr returns an address that nothing listens on at the moment.
func freeAddr(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
