//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	verifyRounds = 5
	verifyTime   = 3 * time.Second
	// tolerance is how far the generators may differ in requests per second.
	tolerance = 0.10
)

// verifyCommand sends the same requests by the generator of this program and by wrk to the
// floor, in turns, and fails if they disagree. It needs wrk, which is in Debian.
type verifyCommand struct {
	fixture

	Out string `default:"docs/performance.md" type:"path"`
}

// Run implements the command.
func (c *verifyCommand) Run(ctx context.Context) error {
	return c.with(ctx, contestants[:1], func(g *ground, servers []*server) error {
		dir, err := os.MkdirTemp("", "convo-bench-wrk-*")
		if err != nil {
			return fmt.Errorf("scratch directory: %w", err)
		}
		defer os.RemoveAll(dir)
		var b strings.Builder
		b.WriteString("| request | epoll, requests/s | wrk, requests/s | epoll × wrk |\n|---|---|---|---|\n")
		var wrong error
		for _, work := range []*workload{listWork, getWork, postTenWork} {
			own, wrk, err := c.compare(ctx, g, servers[0], work, filepath.Join(dir, "script.lua"))
			if err != nil {
				return err
			}
			times := median(own, func(i int) float64 { return own[i] / wrk[i] })
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.2f |\n", work, median(own, func(i int) float64 { return own[i] }), median(wrk, func(i int) float64 { return wrk[i] }), times)
			if math.Abs(times-1) > tolerance {
				wrong = errors.Join(wrong, fmt.Errorf("%s: epoll × wrk is %.2f", work, times))
			}
		}
		fmt.Println(b.String())
		return errors.Join(wrong, writeTable(c.Out, "make bench-verify", b.String()))
	})
}

// compare returns the requests per second of both generators in each round.
func (c *verifyCommand) compare(ctx context.Context, g *ground, s *server, work *workload, script string) (own, wrk []float64, err error) {
	if err := os.WriteFile(script, []byte(lua(g, work)), 0o600); err != nil {
		return nil, nil, fmt.Errorf("script of wrk: %w", err)
	}
	for round := range verifyRounds + 1 {
		cell, err := closedLoop(ctx, g, s, work, c.Conns, verifyTime)
		if err != nil {
			return nil, nil, err
		}
		theirs, err := runWrk(ctx, s.addr, script, c.Conns)
		if err != nil {
			return nil, nil, err
		}
		if round > 0 { // the first is a warm-up
			own, wrk = append(own, cell.rate), append(wrk, theirs)
		}
	}
	return own, wrk, nil
}

// luaRequests is how many different requests wrk sends.
const luaRequests = 2000

// lua returns a script for wrk that sends the requests of a workload.
func lua(g *ground, work *workload) string {
	var b strings.Builder
	b.WriteString("local requests = {\n")
	for range luaRequests {
		fmt.Fprintf(&b, "%q,\n", work.write(nil, work.tenant(g)))
	}
	b.WriteString("}\nrequest = function() return requests[math.random(#requests)] end\n")
	return b.String()
}

var wrkRate = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)

// runWrk returns the requests per second that wrk reports.
func runWrk(ctx context.Context, addr, script string, conns int) (float64, error) {
	output, err := exec.CommandContext(ctx, "wrk", "--threads=1", fmt.Sprint("--connections=", conns),
		fmt.Sprintf("--duration=%.0fs", verifyTime.Seconds()), "--script="+script, "http://"+addr).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk (apt-get install wrk): %w: %s", err, output)
	}
	found := wrkRate.FindSubmatch(output)
	if found == nil || strings.Contains(string(output), "Non-2xx") || strings.Contains(string(output), "Socket errors") {
		return 0, fmt.Errorf("wrk: %s", output)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
