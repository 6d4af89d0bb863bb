//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// neighborMessages are the messages per second of the workspace that is measured.
	neighborMessages = 50
	deadChannels     = 20
	deadMessages     = 100 // of each of them, in as many conversations
	deadTime         = 10 * time.Second
	deadGoal         = 2 // × idle
)

// deadProviderCommand measures the messages of one workspace next to one whose provider does not
// respond.
type deadProviderCommand struct {
	Rounds int    `default:"5"`
	Binary string `default:"bin/convo" type:"path"`
	Out    string `default:"docs/channels.md" type:"path"`
}

// deadProvider accepts requests and does not respond until it is released.
type deadProvider struct {
	*httptest.Server

	release chan struct{}
}

func openDeadProvider() *deadProvider {
	d := &deadProvider{release: make(chan struct{})}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-d.release:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	return d
}

// Run implements the command.
func (c *deadProviderCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := prepare(ctx, filepath.Join(dir, "postgres"), 2, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	g.bell = wake.NewBell()
	go g.bell.Notify(ctx, g.on, slog.New(slog.DiscardHandler))
	p, err := openProviders(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	q, err := connectRoutes(ctx, g, p, neighborMessages)
	if err != nil {
		return err
	}
	ours, err := startWorker(ctx, dir, g, c.Binary)
	if err != nil {
		return err
	}
	defer ours.stop()
	var idle, beside [][]time.Duration
	for round := -1; round < c.Rounds; round++ { // the first round is a warm-up
		alone, err := q.ages(ctx, p)
		if err != nil {
			return err
		}
		next, err := besideDeadProvider(ctx, q, p)
		if err != nil {
			return err
		}
		if round >= 0 {
			idle, beside = append(idle, alone), append(beside, next)
		}
		fmt.Fprintf(os.Stderr, "dead provider: round %d of %d\n", round+1, c.Rounds)
	}
	table := deadProviderTable(idle, beside)
	fmt.Println(table)
	return writeTable(c.Out, "make bench-dead-provider", table)
}

// besideDeadProvider is ages while all messages of another workspace hang.
func besideDeadProvider(ctx context.Context, q *queue, p *providers) ([]time.Duration, error) {
	dead := openDeadProvider()
	defer dead.Close()
	hanging, err := newQueue(q.ground, q.workspaces[1].id)
	if err != nil {
		return nil, err
	}
	for range deadChannels {
		if err := hanging.connect(ctx, routes[0], p.all[0], dead.URL, 0, deadMessages); err != nil {
			return nil, err
		}
	}
	for _, one := range hanging.routes {
		if err := hanging.fill(ctx, one); err != nil {
			return nil, err
		}
	}
	q.bell.RingNow(wake.Messages)
	time.Sleep(settleTime)
	ages, err := q.ages(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, err := q.on.Exec(ctx, "UPDATE channels SET status = 'DISABLED' WHERE workspace_id = $1", hanging.space); err != nil {
		return nil, fmt.Errorf("disable channels: %w", err)
	}
	close(dead.release)
	time.Sleep(settleTime)
	if _, err := q.on.Exec(ctx, "DELETE FROM outbound_messages WHERE workspace_id = $1", hanging.space); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	return ages, nil
}

// fill queues a message in each conversation of a channel.
func (q *queue) fill(ctx context.Context, one queuedRoute) error {
	n := len(one.conversations)
	messages := make([]uuid.UUID, n)
	for i := range messages {
		messages[i], _ = q.ids.New()
	}
	return q.enqueue(ctx, messages, slices.Repeat([]uuid.UUID{one.channel}, n), one.conversations, slices.Repeat([]string{"Hello"}, n))
}

// ages queues messages for some time, and returns the sorted times from when each was queued
// until its provider accepted it.
func (q *queue) ages(ctx context.Context, p *providers) ([]time.Duration, error) {
	p.begin(neighborMessages * int(deadTime.Seconds()+1))
	due, err := q.offer(ctx, p.started, deadTime)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(sentLimit); p.count() < len(due); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %d messages arrived", p.count(), len(due))
		}
	}
	r := &channelResults{}
	p.result(r, due)
	return r.ages, nil
}

func deadProviderTable(idle, beside [][]time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d interleaved rounds, at %d messages per second through %d channels.\n\n", len(idle), neighborMessages, len(routes))
	b.WriteString("| From the time a message is queued until it is accepted | p50 | p99 | p99 × idle |\n|---|---|---|---|\n")
	row := func(name string, rounds [][]time.Duration) float64 {
		at := func(q float64) string {
			return milliseconds(median(rounds, func(i int) float64 { return float64(quantile(rounds[i], q)) }))
		}
		ratio := median(rounds, func(i int) float64 { return float64(quantile(rounds[i], 0.99)) / float64(quantile(idle[i], 0.99)) })
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f |\n", name, at(0.5), at(0.99), ratio)
		return ratio
	}
	row("No other workspace is busy", idle)
	ratio := row(fmt.Sprintf("%d messages of another workspace wait for a provider that does not respond, in %d channels", deadChannels*deadMessages, deadChannels), beside)
	fmt.Fprintf(&b, "\nThe goal is at most %d × idle: %s.\n", deadGoal, verdict(ratio <= deadGoal))
	return b.String()
}
