//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const warmUp = time.Second // length of a measurement in the round before the first

type runCommand struct {
	fixture

	Rounds int           `default:"7" help:"Rounds of the closed loop."`
	Cell   time.Duration `default:"2s" help:"Length of one measurement."`
	Out    string        `default:"docs/performance.md" type:"path"`
}

// fixture says what is measured, on what data.
type fixture struct {
	Workspaces int    `default:"10"`
	Leads      int    `default:"100000" help:"Leads in each workspace."`
	Conns      int    `default:"32" help:"Connections of the closed loop."`
	Binary     string `default:"bin/convo" type:"path"`
	Fastify    string `default:"scripts/bench/fastify" help:"Directory of the Fastify server." type:"path"`
}

// with loads the data, starts the servers, and runs fn.
func (f *fixture) with(ctx context.Context, contestants []contestant, fn func(*ground, []*server) error) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ground, err := prepare(ctx, filepath.Join(dir, "postgres"), f.Workspaces, f.Leads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ground.close(ctx)) }()
	servers, err := f.startAll(ctx, dir, ground, contestants)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	if err := fn(ground, servers); err != nil {
		for _, s := range servers {
			fmt.Fprintf(os.Stderr, "the last lines of %s:\n%s\n", s.name, s.lastLines())
		}
		return err
	}
	return nil
}

// Run implements the command.
func (c *runCommand) Run(ctx context.Context) error {
	return c.with(ctx, contestants, func(ground *ground, servers []*server) error {
		if err := agree(ctx, ground, servers); err != nil {
			return err
		}
		results, err := c.measure(ctx, ground, servers)
		if err != nil {
			return err
		}
		table := results.markdown(c)
		fmt.Println(table)
		return writeTable(c.Out, "make bench", table)
	})
}

// measure runs the closed loop in interleaved rounds, then the open loop.
func (c *runCommand) measure(ctx context.Context, ground *ground, servers []*server) (*results, error) {
	r := newResults()
	for round := -1; round < c.Rounds; round++ { // the first round is a warm-up
		if err := c.round(ctx, ground, servers, round, r); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, c.Rounds)
	}
	for _, s := range servers {
		r.memory[s.name] = s.memory()
	}
	for range openRounds {
		for _, work := range workloads {
			for _, s := range servers {
				if work.rate == 0 || s.name != floorName && s.name != convoName {
					continue
				}
				latencies, err := openLoop(ctx, ground, s, work, openTime)
				if err != nil {
					return nil, err
				}
				r.addOpen(s.name, work, latencies)
			}
		}
	}
	return r, nil
}

// round measures each workload on each server. Servers take turns to be the first.
func (c *runCommand) round(ctx context.Context, ground *ground, servers []*server, round int, r *results) error {
	length := c.Cell
	if round < 0 {
		length = warmUp
	}
	for _, work := range workloads {
		for i := range servers {
			s := servers[(i+max(round, 0))%len(servers)]
			if s.postsOnly && !work.posts {
				continue
			}
			cell, err := closedLoop(ctx, ground, s, work, c.Conns, length)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, work, err)
			}
			if round >= 0 {
				r.add(s.name, work, cell)
			}
		}
	}
	return nil
}
