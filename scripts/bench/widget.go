//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// widgetCommand measures open streams of the chat widget: the memory of each, and how long a
// message takes to its visitor while all of them are open.
type widgetCommand struct {
	Streams  int           `default:"10000" help:"Open streams, each of a visitor of its own."`
	Rate     int           `default:"50" help:"Operator messages per second."`
	Duration time.Duration `default:"30s" help:"How long messages are sent."`
	Binary   string        `default:"bin/convo" type:"path"`
	Out      string        `default:"docs/widget.md" type:"path"`
}

const (
	streamGoal  = 20_000 // bytes, at most
	messageGoal = 100 * time.Millisecond
	warmStreams = 200
	// calmTime lets the server return the memory of the requests that opened the streams.
	calmTime = 10 * time.Second
)

// widgetResults are the results of a run.
type widgetResults struct {
	memory    float64 // bytes of a stream: of the process, as the kernel counts it
	heap      float64 // bytes of a stream: of the Go heap and stacks
	opened    time.Duration
	latencies []time.Duration // sorted
	lost      int
	cpu       used // while messages are sent
	length    time.Duration
}

// Run implements the command.
func (c *widgetCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ground, err := prepare(ctx, filepath.Join(dir, "postgres"), 1, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ground.close(ctx)) }()
	crowd, err := gather(ctx, ground, c.Streams+warmStreams)
	if err != nil {
		return err
	}
	defer crowd.leave()
	s, ops, err := startServer(ctx, dir, ground, c.Binary)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	crowd.server = s
	r := &widgetResults{length: c.Duration}
	if err := c.fill(ctx, r, crowd, ops); err != nil {
		return err
	}
	if err := c.deliver(ctx, r, crowd, ground, s); err != nil {
		return err
	}
	table := r.markdown(c)
	fmt.Println(table)
	return writeTable(c.Out, "make bench-widget", table)
}

func startServer(ctx context.Context, dir string, g *ground, binary string) (s *server, ops string, err error) {
	if ops, err = freeAddr(ctx); err != nil {
		return nil, "", err
	}
	s, err = start(ctx, dir, "convo", []string{binary, "serve"}, []string{
		"DATABASE_URL=" + g.url, "CONVO_ADDR=127.0.0.1:0", "CONVO_SECRET_KEY=" + secretKey, "CONVO_OPS_ADDR=" + ops,
		"CONVO_STORAGE=" + filepath.Join(dir, "files"),
	})
	return s, ops, err
}

// fill opens the streams, and measures how much more memory the server uses then. Some
// streams are opened and closed before, so that what the first ones need is not counted.
func (c *widgetCommand) fill(ctx context.Context, r *widgetResults, crowd *crowd, ops string) error {
	if err := crowd.open(ctx, c.Streams, c.Streams+warmStreams); err != nil {
		return err
	}
	crowd.leave()
	before, err := weigh(ctx, ops)
	if err != nil {
		return err
	}
	started := time.Now()
	if err := crowd.open(ctx, 0, c.Streams); err != nil {
		return err
	}
	r.opened = time.Since(started)
	after, err := weigh(ctx, ops)
	if err != nil {
		return err
	}
	r.memory = float64(after.process-before.process) / float64(c.Streams)
	r.heap = float64(after.heap-before.heap) / float64(c.Streams)
	return nil
}

// weight is the memory of a server, in bytes.
type weight struct{ process, heap int64 }

// weigh collects garbage and reads the memory of a server.
func weigh(ctx context.Context, ops string) (weight, error) {
	time.Sleep(calmTime)
	var w weight
	for range 3 { // each collection halves stacks that have grown
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/debug/pprof/heap?gc=1", nil)
		if err != nil {
			return w, fmt.Errorf("collect garbage: %w", err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return w, fmt.Errorf("collect garbage: %w", err)
		}
		_ = response.Body.Close()
	}
	time.Sleep(calmTime)
	metrics, err := readMetrics(ctx, ops)
	if err != nil {
		return w, err
	}
	w.process = metrics["process_resident_memory_bytes"]
	w.heap = metrics["go_memstats_heap_alloc_bytes"] + metrics["go_memstats_stack_inuse_bytes"]
	return w, nil
}

// deliver sends messages of operators to random visitors.
func (c *widgetCommand) deliver(ctx context.Context, r *widgetResults, crowd *crowd, g *ground, s *server) error {
	before, err := measureCPU(g, s)
	if err != nil {
		return err
	}
	if r.latencies, r.lost, err = crowd.talk(ctx, c.Rate, c.Duration, c.Streams); err != nil {
		return err
	}
	after, err := measureCPU(g, s)
	if err != nil {
		return err
	}
	slices.Sort(r.latencies)
	r.cpu = used{after.own - before.own, after.postgres - before.postgres}
	return nil
}

// markdown returns the table of the report.
func (r *widgetResults) markdown(c *widgetCommand) string {
	var b strings.Builder
	p99 := quantile(r.latencies, 0.99)
	fmt.Fprintf(&b, "%d streams of %d addresses were opened in %.0f s. Then operators sent %d messages per second to random visitors for %s. PostgreSQL, the server with its workers and the clients shared the machine; the server is a process of its own.\n\n",
		c.Streams, addresses(c.Streams), r.opened.Seconds(), c.Rate, c.Duration)
	b.WriteString("| Measured | Result | Goal | |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| Memory of the process for each open stream | %.1f kB | ≤ %d kB | %s |\n", r.memory/1000, streamGoal/1000, verdict(r.memory <= streamGoal))
	fmt.Fprintf(&b, "| of it, Go heap and stacks in use | %.1f kB | | |\n", r.heap/1000)
	fmt.Fprintf(&b, "| From an operator's request to the visitor, p50 | %s | | |\n", milliseconds(float64(quantile(r.latencies, 0.5))))
	fmt.Fprintf(&b, "| From an operator's request to the visitor, p99 | %s | ≤ %d ms | %s |\n", milliseconds(float64(p99)), messageGoal.Milliseconds(), verdict(p99 <= messageGoal && r.lost == 0))
	fmt.Fprintf(&b, "| Messages sent | %d | | |\n| Messages that did not arrive | %d | 0 | %s |\n", len(r.latencies)+r.lost, r.lost, verdict(r.lost == 0))
	fmt.Fprintf(&b, "| CPU time of the server and of PostgreSQL, in cores | %.2f and %.2f | | |\n", r.cpu.own.Seconds()/r.length.Seconds(), r.cpu.postgres.Seconds()/r.length.Seconds())
	return b.String()
}
