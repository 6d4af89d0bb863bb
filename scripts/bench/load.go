package main

import (
	"bufio"
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
	status, err := c.receive()
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if status != work.status {
		return fmt.Errorf("answered %d", status)
	}
	return nil
}

// receive reads an answer and throws its body away. It is no more than the bench
// needs, so that the load takes little of the machine from the servers.
func (c *caller) receive() (status int, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return 0, errors.Join(err, errors.New("no status line"))
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	length, chunked := 0, false
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return 0, fmt.Errorf("header: %w", err)
		}
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		switch string(name) {
		case "":
			if !chunked {
				_, err = c.reader.Discard(length)
				return status, err
			}
			return status, c.discardChunks()
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("length: %w", err)
			}
		case "Transfer-Encoding":
			chunked = true
		}
	}
}

func (c *caller) discardChunks() error {
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("chunk: %w", err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("chunk: %w", err)
		}
		if _, err := c.reader.Discard(int(size) + len("\r\n")); err != nil {
			return fmt.Errorf("chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
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
		defer c.conn.Close()
		var took []time.Duration
		for time.Since(started) < length && ctx.Err() == nil {
			begun := time.Now()
			if err := c.ask(work, g.workspaces[rand.IntN(len(g.workspaces))]); err != nil {
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
