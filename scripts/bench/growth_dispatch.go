//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const dispatchRounds = 3

var dispatchEndpoints = []int{1, 10, 1000}

// dispatch delivers the same backlog to few and to many webhooks of one workspace.
func (c *growthCommand) dispatch(ctx context.Context, dir string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Webhooks: a backlog of %d events, each to one of the endpoints; medians of %d rounds.\n\n", c.Webhook, dispatchRounds)
	b.WriteString("| endpoints | deliveries/s | CPU µs/delivery | PostgreSQL µs/delivery |\n|---|---|---|---|\n")
	for _, n := range dispatchEndpoints {
		cells, err := c.dispatchTo(ctx, dir, n)
		if err != nil {
			return "", fmt.Errorf("%d endpoints: %w", n, err)
		}
		fmt.Fprintf(&b, "| %d | %.0f | %.0f | %.0f |\n", n,
			median(cells, func(i int) float64 { return cells[i].rate }),
			median(cells, func(i int) float64 { return cells[i].cpu }),
			median(cells, func(i int) float64 { return cells[i].postgres }))
	}
	return b.String(), nil
}

func (c *growthCommand) dispatchTo(ctx context.Context, dir string, n int) (cells []cell, err error) {
	dir = filepath.Join(dir, "dispatch-"+strconv.Itoa(n))
	ground, err := prepare(ctx, filepath.Join(dir, "postgres"), 1, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ground.close(ctx)) }()
	s, err := openSink(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := ground.prepareWebhooks(ctx, s, n); err != nil {
		return nil, err
	}
	d, err := startWorker(ctx, dir, ground, c.Binary)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	for round := range dispatchRounds + 1 {
		cell, err := d.deliver(ctx, ground, s, c.Webhook)
		if err != nil {
			return nil, err
		}
		if round > 0 { // the first is a warm-up
			cells = append(cells, cell)
		}
	}
	return cells, nil
}
