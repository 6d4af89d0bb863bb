//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	hangingWebhooks = 80
	hangingEvents   = 50     // for each of them
	greedyBacklog   = 50_000 // deliveries due for one webhook
	neighborTime    = 6 * time.Second
	settleTime      = time.Second

	hangingKind = "greedy.hang"
	backlogKind = "greedy.backlog"

	idleName    = "No other workspace is busy"
	hangingName = "80 webhooks of another workspace hang"
	backlogName = "50,000 deliveries are due for a webhook of another workspace"
)

// scenario is what a greedy workspace does while another one is measured.
type scenario struct {
	name  string
	begin func(ctx context.Context) error
	more  func() bool // whether it still does it
	end   func()
}

// neighborsCommand measures the deliveries of one workspace next to a greedy one.
type neighborsCommand struct {
	Rounds int    `default:"5"`
	Binary string `default:"bin/convo" type:"path"`
	Out    string `default:"docs/webhooks.md" type:"path"`
}

// Run implements the command.
func (c *neighborsCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := prepare(ctx, filepath.Join(dir, "postgres"), 1, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	s, err := openSink(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := g.prepareWebhooks(ctx, s, endpoints); err != nil {
		return err
	}
	ours, err := startWorker(ctx, dir, g, c.Binary)
	if err != nil {
		return err
	}
	defer ours.stop()
	lags, err := c.measure(ctx, g, s)
	if err != nil {
		return err
	}
	table := neighborTable(lags)
	fmt.Println(table)
	return writeTable(c.Out, "make bench-neighbors", table)
}

// measure returns the sorted times from commit to arrival of each scenario and round.
func (c *neighborsCommand) measure(ctx context.Context, g *ground, s *sink) (map[string][][]time.Duration, error) {
	greedy, err := g.prepareGreedy(ctx, s)
	if err != nil {
		return nil, err
	}
	scenarios := []scenario{
		{idleName, func(context.Context) error { return nil }, func() bool { return true }, func() {}},
		{
			hangingName,
			func(ctx context.Context) error {
				s.hang(greedyHangingPath)
				return g.loadGreedy(ctx, greedy, hangingKind, hangingEvents)
			}, func() bool { return true }, func() { s.hang("") },
		},
		{
			backlogName,
			func(ctx context.Context) error { return g.loadGreedy(ctx, greedy, backlogKind, greedyBacklog) },
			func() bool { return s.greedy.Load() < greedyBacklog*9/10 }, func() {},
		},
	}
	lags := map[string][][]time.Duration{}
	for round := -1; round < c.Rounds; round++ { // the first round is a warm-up
		for _, one := range scenarios {
			found, err := one.measure(ctx, g, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", one.name, err)
			}
			if round >= 0 {
				lags[one.name] = append(lags[one.name], found)
			}
		}
		fmt.Fprintf(os.Stderr, "neighbors: round %d of %d\n", round+1, c.Rounds)
	}
	return lags, nil
}

// measure returns the sorted times from commit to arrival while the scenario lasts.
func (one scenario) measure(ctx context.Context, g *ground, s *sink) ([]time.Duration, error) {
	s.reset()
	if err := one.begin(ctx); err != nil {
		return nil, err
	}
	time.Sleep(settleTime)
	end := time.Now().Add(neighborTime)
	committed, err := g.commitSteadily(ctx, func() bool { return time.Now().Before(end) && one.more() })
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(backlogLimit); len(s.lags(committed)) < len(committed); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %d deliveries arrived", len(s.lags(committed)), len(committed))
		}
	}
	lags := s.lags(committed)
	one.end()
	return lags, g.clearDeliveries(ctx)
}

// prepareGreedy makes a workspace with webhooks that can hang and one that cannot.
func (g *ground) prepareGreedy(ctx context.Context, s *sink) (uuid.UUID, error) {
	space, err := (&workspace.Service{DB: g.on, IDs: id.NewGenerator(clock.System{})}).Ensure(ctx, "greedy", "Greedy")
	if err != nil {
		return uuid.Nil, fmt.Errorf("workspace: %w", err)
	}
	for range hangingWebhooks {
		if err := g.subscribe(ctx, space.ID, s.greedyURL(greedyHangingPath), hangingKind); err != nil {
			return uuid.Nil, err
		}
	}
	return space.ID, g.subscribe(ctx, space.ID, s.greedyURL("/backlog"), backlogKind)
}

// loadGreedy commits events of a workspace, and waits until their deliveries are due.
func (g *ground) loadGreedy(ctx context.Context, space uuid.UUID, kind string, n int) error {
	_, err := g.on.Exec(ctx, `INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at)
		SELECT $1, gen_random_uuid(), $2, $3::json, now() FROM generate_series(1, $4::int)`, space, kind, payload, n)
	if err != nil {
		return fmt.Errorf("load events: %w", err)
	}
	g.bell.RingNow(wake.Events)
	return g.waitUntilNone(ctx, unnumbered)
}

func neighborTable(lags map[string][][]time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| Time from commit to the first attempt, at %d events/s | p50 | p99 | p99 × idle |\n|---|---|---|---|\n", steadyRate)
	idle := lags[idleName]
	for _, name := range []string{idleName, hangingName, backlogName} {
		rounds := lags[name]
		at := func(q float64) float64 {
			return median(rounds, func(i int) float64 { return float64(quantile(rounds[i], q)) })
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f |\n", name, milliseconds(at(0.5)), milliseconds(at(0.99)),
			median(rounds, func(i int) float64 { return float64(quantile(rounds[i], 0.99)) / float64(quantile(idle[i], 0.99)) }))
	}
	return b.String()
}
