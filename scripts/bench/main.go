//go:build linux

// Bench measures the server against two references on a private database, and writes the
// results to docs/performance.md.
//
//	make bench
//	make bench-webhooks
//
// It requires bin/convo and Linux, and finishes in about six minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// commands holds the benchmarks and the reference servers, which run as child processes.
type commands struct {
	Run      runCommand      `cmd:"" default:"withargs" help:"Measure and write the table."`
	Webhooks webhooksCommand `cmd:"" help:"Measure deliveries to webhooks and write their table."`
	Plain    plainCommand    `cmd:"" help:"Deliver by batches of SKIP LOCKED."`
	River    riverCommand    `cmd:"" help:"Deliver by a River job each."`
	Floor    floorCommand    `cmd:"" help:"Serve the floor: net/http, pgx and appended JSON."`
	Wired    wiredCommand    `cmd:"" help:"Serve the stack as it is normally wired."`
}

type runCommand struct {
	Rounds     int           `default:"7" help:"Rounds of the closed loop."`
	Cell       time.Duration `default:"2s" help:"Length of one measurement."`
	Workspaces int           `default:"10"`
	Leads      int           `default:"100000" help:"Leads in each workspace."`
	Conns      int           `default:"32" help:"Connections of the closed loop."`
	Binary     string        `default:"bin/convo" type:"path"`
	Out        string        `default:"docs/performance.md" type:"path"`
}

// Run implements the command.
func (c *runCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ground, err := prepare(ctx, filepath.Join(dir, "postgres"), c.Workspaces, c.Leads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ground.close(ctx)) }()
	contestants, err := c.startAll(ctx, dir, ground)
	defer func() {
		for _, s := range contestants {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	results, err := c.measure(ctx, ground, contestants)
	if err != nil {
		return err
	}
	table := results.markdown(c)
	fmt.Println(table)
	if err := writeTable(c.Out, table); err != nil {
		return err
	}
	return nil
}

// measure runs the closed loop in interleaved rounds, then the open loop.
func (c *runCommand) measure(ctx context.Context, ground *ground, contestants []*server) (*results, error) {
	r := newResults()
	for round := -1; round < c.Rounds; round++ { // the first round is a warm-up
		for _, work := range workloads {
			for i := range contestants {
				s := contestants[(i+max(round, 0))%len(contestants)]
				cell, err := closedLoop(ctx, ground, s, work, c.Conns, c.Cell)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", s.name, work.name, err)
				}
				if round >= 0 {
					r.add(s.name, work.name, cell)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, c.Rounds)
	}
	for _, s := range contestants {
		r.memory[s.name] = s.peakMemory()
	}
	for range openRounds {
		for _, s := range contestants {
			if s.name == "wired" {
				continue
			}
			latencies, err := openLoop(ctx, ground, s, openTime)
			if err != nil {
				return nil, err
			}
			r.addOpen(s.name, latencies)
		}
	}
	return r, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	parser, err := kong.New(&commands{}, kong.Name("bench"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err == nil {
		var command *kong.Context
		command, err = parser.Parse(os.Args[1:])
		parser.FatalIfErrorf(err)
		err = command.Run()
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
