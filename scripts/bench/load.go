package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	openRounds = 3
	openTime   = 5 * time.Second
	openConns  = 64
)

// workload is one kind of request. rate is a second's number in the open loop.
type workload struct {
	name   string
	rate   int
	status int
	write  func(buf []byte, t tenant) []byte
}

const leadBody = `{"fields":{"name":"Anna Nowak","email":"anna.nowak@example.com","phone":"+48 111 222 333","company":"Nowak Shoes Ltd","note":"Asked for ten pairs of winter boots, size 39"},"source":"external-form"}`

//nolint:gosec // load need not be unpredictable
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

// caller is a connection that sends one request after the other.
type caller struct {
	conn   net.Conn
	reader *bufio.Reader
	buf    []byte
}

func dial(ctx context.Context, addr string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &caller{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *caller) ask(work workload, t tenant) error {
	c.buf = work.write(c.buf[:0], t)
	if _, err := c.conn.Write(c.buf); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if answer.StatusCode != work.status {
		return fmt.Errorf("answered %d", answer.StatusCode)
	}
	return nil
}

// cell is one measurement.
type cell struct {
	rate          float64 // requests a second
	cpu, postgres float64 // microseconds a request
	p50, p99      time.Duration
}

// closedLoop keeps conns requests under way for a time.
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
	latencies, err := inParallel(conns, func(int) ([]time.Duration, error) {
		c, err := dial(ctx, s.addr)
		if err != nil {
			return nil, err
		}
		defer c.conn.Close() //nolint:errcheck // it did its work
		var took []time.Duration
		for time.Since(started) < length && ctx.Err() == nil {
			begun := time.Now()
			if err := c.ask(work, g.workspaces[rand.IntN(len(g.workspaces))]); err != nil { //nolint:gosec // as above
				return nil, err
			}
			took = append(took, time.Since(begun))
		}
		return took, ctx.Err()
	})
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

// openLoop sends each workload at its rate, whether or not answers come, and
// returns latencies from the moment that each request was due.
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
			defer c.conn.Close() //nolint:errcheck // it did its work
			var took []time.Duration
			for at := range due {
				if err := c.ask(work, g.workspaces[rand.IntN(len(g.workspaces))]); err != nil { //nolint:gosec // as above
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
