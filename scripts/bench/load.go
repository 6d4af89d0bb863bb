//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	openRounds   = 3
	openTime     = 3 * time.Second
	openConns    = 64
	responseSize = 64 << 10 // bytes; fits most responses
	drainLimit   = time.Minute
)

// caller sends requests over one connection, one at a time.
type caller struct {
	conn net.Conn
	buf  []byte
}

func dial(ctx context.Context, addr string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &caller{conn: conn, buf: make([]byte, 0, responseSize)}, nil
}

func (c *caller) ask(work *workload, t *tenant) error {
	if _, err := c.conn.Write(work.write(c.buf[:0], t)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for c.buf = c.buf[:0]; ; {
		c.buf = slices.Grow(c.buf, responseSize/2)
		n, err := c.conn.Read(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		c.buf = c.buf[:len(c.buf)+n]
		if done, err := complete(c.buf, work.status); done || err != nil {
			return err
		}
	}
}

// complete reports whether b holds a complete response, and returns an error for an
// unexpected status. It parses only what the benchmark needs, to leave most of the
// machine to the servers.
func complete(response []byte, status int) (done bool, err error) {
	head, body, found := bytes.Cut(response, []byte("\r\n\r\n"))
	if !found {
		return false, nil
	}
	if got := string(head[len("HTTP/1.1 "):min(len(head), len("HTTP/1.1 200"))]); got != strconv.Itoa(status) {
		return true, fmt.Errorf("unexpected status %s: %s", got, body)
	}
	length := contentLength(head)
	if length == nil { // chunked: ends with an empty chunk
		return bytes.HasSuffix(body, []byte("\r\n0\r\n\r\n")), nil
	}
	n, err := strconv.Atoi(string(length))
	if err != nil {
		return true, fmt.Errorf("length: %w", err)
	}
	return len(body) >= n, nil
}

// contentLength returns the value of the header, in either spelling in use, or nil.
func contentLength(head []byte) []byte {
	for _, name := range []string{"Content-Length: ", "content-length: "} {
		if _, rest, found := bytes.Cut(head, []byte(name)); found {
			length, _, _ := bytes.Cut(rest, []byte("\r\n"))
			return length
		}
	}
	return nil
}

// cell is one measurement. CPU times are in microseconds per request.
type cell struct {
	rate          float64 // requests per second
	cpu, postgres float64
	p50, p99      time.Duration
	drained       time.Duration // until the server's workers had caught up with the requests
}

func (c cell) both() float64 { return c.cpu + c.postgres }

// closedLoop keeps conns requests in flight for a time. If the server runs workers, the CPU
// time that they take to catch up is included.
func closedLoop(ctx context.Context, g *ground, s *server, work *workload, conns int, length time.Duration) (cell, error) {
	before, err := measureCPU(g, s)
	if err != nil {
		return cell{}, err
	}
	started := time.Now()
	latencies, err := saturate(ctx, g, s.addr, work, conns, length)
	if err != nil {
		return cell{}, err
	}
	elapsed, n := time.Since(started), float64(len(latencies))
	if s.drained != nil && work.posts {
		if err := waitUntil(ctx, drainLimit, s.drained); err != nil {
			return cell{}, err
		}
	}
	drained := time.Since(started) - elapsed
	after, err := measureCPU(g, s)
	if err != nil {
		return cell{}, err
	}
	slices.Sort(latencies)
	return cell{
		rate: n / elapsed.Seconds(), cpu: float64((after.own - before.own).Microseconds()) / n, drained: drained,
		postgres: float64((after.postgres - before.postgres).Microseconds()) / n, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99),
	}, nil
}

// waitUntil asks every few milliseconds whether something is done.
func waitUntil(ctx context.Context, limit time.Duration, done func(context.Context) (bool, error)) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok, err := done(ctx); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("not done after %s", limit)
}

// openLoop sends a workload at its rate, whether or not responses arrive, and returns
// latencies measured from the time each request was due.
func openLoop(ctx context.Context, g *ground, s *server, work *workload, length time.Duration) ([]time.Duration, error) {
	due := make(chan time.Time, work.rate*int(length.Seconds()+1))
	go func() {
		defer close(due)
		interval := time.Second / time.Duration(work.rate)
		for at, end := time.Now(), time.Now().Add(length); at.Before(end) && ctx.Err() == nil; at = at.Add(interval) {
			if wait := time.Until(at); wait > 0 {
				time.Sleep(wait)
			}
			due <- at
		}
	}()
	latencies, err := inParallel(openConns, func(int) ([]time.Duration, error) {
		c, err := dial(ctx, s.addr)
		if err != nil {
			return nil, err
		}
		defer c.conn.Close()
		var took []time.Duration
		for at := range due {
			if err := c.ask(work, work.tenant(g)); err != nil {
				return nil, err
			}
			took = append(took, time.Since(at))
		}
		return took, nil
	})
	if err != nil {
		return nil, fmt.Errorf("open loop, %s, %s: %w", s.name, work, err)
	}
	slices.Sort(latencies)
	return latencies, ctx.Err()
}

func inParallel(n int, fn func(int) ([]time.Duration, error)) ([]time.Duration, error) {
	results, errs := make([][]time.Duration, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { results[i], errs[i] = fn(i) })
	}
	group.Wait()
	return slices.Concat(results...), errors.Join(errs...)
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
