//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	openRounds   = 3
	openTime     = 5 * time.Second
	openConns    = 64
	responseSize = 64 << 10 // bytes; fits most responses
)

// workload is one kind of request. rate is in requests per second, for the open loop.
type workload struct {
	name   string
	rate   int
	status int
	write  func(buf []byte, t tenant) []byte
}

const leadBody = `{"fields":{"name":"Anna Nowak","email":"anna.nowak@example.com","phone":"+48 111 222 333","company":"Nowak Shoes Ltd","note":"Asked for ten pairs of winter boots, size 39"},"source":"external-form"}`

var workloads = []workload{
	{"list 50", 500, http.StatusOK, func(buf []byte, t tenant) []byte {
		return fmt.Appendf(buf, "GET /api/v1/leads?limit=50 HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", t.token)
	}},
	{"get one", 2000, http.StatusOK, func(buf []byte, t tenant) []byte {
		return fmt.Appendf(buf, "GET /api/v1/leads/%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", t.ids[rand.IntN(len(t.ids))], t.token)
	}},
	{"POST", 500, http.StatusCreated, func(buf []byte, t tenant) []byte {
		return fmt.Appendf(buf, "POST /api/v1/leads HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", t.token, len(leadBody), leadBody)
	}},
}

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

func (c *caller) ask(work workload, t tenant) error {
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
		return true, fmt.Errorf("unexpected status %s", got)
	}
	_, length, found := bytes.Cut(head, []byte("Content-Length: "))
	if !found { // chunked; the bodies contain no line breaks
		return bytes.HasSuffix(body, []byte("\r\n0\r\n\r\n")), nil
	}
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil {
		return true, fmt.Errorf("length: %w", err)
	}
	return len(body) >= n, nil
}

// cell is one measurement.
type cell struct {
	rate          float64 // requests per second
	cpu, postgres float64 // microseconds per request
	p50, p99      time.Duration
}

// closedLoop keeps conns requests in flight for a time.
func closedLoop(ctx context.Context, g *ground, s *server, work workload, conns int, length time.Duration) (cell, error) {
	cpuBefore, err := s.cpu()
	if err != nil {
		return cell{}, err
	}
	pgBefore, err := g.cpu()
	if err != nil {
		return cell{}, err
	}
	started := time.Now()
	latencies, err := saturate(ctx, g, s.addr, work, conns, length)
	if err != nil {
		return cell{}, err
	}
	elapsed, n := time.Since(started), float64(len(latencies))
	cpuAfter, err := s.cpu()
	if err != nil {
		return cell{}, err
	}
	pgAfter, err := g.cpu()
	if err != nil {
		return cell{}, err
	}
	slices.Sort(latencies)
	return cell{
		rate: n / elapsed.Seconds(), cpu: float64((cpuAfter - cpuBefore).Microseconds()) / n,
		postgres: float64((pgAfter - pgBefore).Microseconds()) / n, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99),
	}, nil
}

// openLoop sends each workload at its rate, whether or not responses arrive, and returns
// latencies measured from the time each request was due.
func openLoop(ctx context.Context, g *ground, s *server, length time.Duration) (map[string][]time.Duration, error) {
	all := map[string][]time.Duration{}
	for _, work := range workloads {
		due := make(chan time.Time, work.rate*int(length.Seconds()+1))
		go func() {
			defer close(due)
			pace := time.Second / time.Duration(work.rate)
			for at, end := time.Now(), time.Now().Add(length); at.Before(end) && ctx.Err() == nil; at = at.Add(pace) {
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
				if err := c.ask(work, g.workspaces[rand.IntN(len(g.workspaces))]); err != nil {
					return nil, err
				}
				took = append(took, time.Since(at))
			}
			return took, nil
		})
		if err != nil {
			return nil, fmt.Errorf("open loop, %s, %s: %w", s.name, work.name, err)
		}
		all[work.name] = latencies
	}
	return all, ctx.Err()
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
