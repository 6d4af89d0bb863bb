//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Paths of the endpoints that can hang: one of the ten, and those of the greedy workspace.
const (
	hangingPath       = "/0"
	greedyHangingPath = "/hang"
)

// sink receives deliveries and records when each event arrived.
type sink struct {
	server *http.Server
	port   int
	greedy atomic.Int64 // requests to the second address

	mu     sync.Mutex
	path   string        // that hangs, if any
	hangs  chan struct{} // until this is closed
	came   map[uuid.UUID]time.Time
	others int // at endpoints that never hang
}

// openSink listens on two addresses, which are two hosts to a dispatcher.
func openSink(ctx context.Context) (*sink, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &sink{port: listener.Addr().(*net.TCPAddr).Port, came: map[uuid.UUID]time.Time{}, hangs: make(chan struct{})}
	second, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.2:%d", s.port))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.receive), ReadHeaderTimeout: time.Minute}
	go s.server.Serve(listener) //nolint:errcheck // ends when the server is closed
	go s.server.Serve(second)   //nolint:errcheck // ends when the server is closed
	return s, nil
}

func (s *sink) url(endpoint int) string { return s.base() + strconv.Itoa(endpoint) }
func (s *sink) base() string            { return fmt.Sprintf("http://127.0.0.1:%d/", s.port) }
func (s *sink) greedyURL(path string) string {
	return fmt.Sprintf("http://127.0.0.2:%d%s", s.port, path)
}
func (s *sink) close() { _ = s.server.Close() } // no requests are in flight

// hang makes requests to a path wait until it is called again.
func (s *sink) hang(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hangs)
	s.path, s.hangs = path, make(chan struct{})
}

// hanging returns what requests to a path wait for, or nil.
func (s *sink) hanging(path string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path != s.path {
		return nil
	}
	return s.hangs
}

func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if strings.HasPrefix(r.Host, "127.0.0.2") {
		s.greedy.Add(1)
	}
	if hangs := s.hanging(r.URL.Path); hangs != nil {
		select {
		case <-r.Context().Done():
		case <-hangs:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	event, err := uuid.Parse(r.Header.Get("Webhook-Id"))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	if _, again := s.came[event]; !again && !strings.HasSuffix(r.URL.Path, hangingPath) {
		s.others++
	}
	s.came[event] = time.Now()
	s.mu.Unlock()
}

func (s *sink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.came)
	s.others = 0
	s.greedy.Store(0)
}

func (s *sink) counts() (all, others int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.came), s.others
}

// lags returns the sorted times from commit to arrival of events.
func (s *sink) lags(committed map[uuid.UUID]time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	lags := make([]time.Duration, 0, len(committed))
	for event, at := range committed {
		if arrived, ok := s.came[event]; ok {
			lags = append(lags, max(0, arrived.Sub(at)))
		}
	}
	slices.Sort(lags)
	return lags
}

// wait returns when n events have arrived.
func (s *sink) wait(ctx context.Context, n int) error {
	return s.until(ctx, func() bool { all, _ := s.counts(); return all >= n })
}

// waitOthers returns when n events have arrived at endpoints that never hang.
func (s *sink) waitOthers(ctx context.Context, n int) error {
	return s.until(ctx, func() bool { _, others := s.counts(); return others >= n })
}

func (s *sink) until(ctx context.Context, enough func() bool) error {
	for deadline := time.Now().Add(backlogLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if enough() {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	all, others := s.counts()
	return errors.Join(errors.New("timed out waiting for deliveries"), fmt.Errorf("%d arrived, %d of them at endpoints that never hang", all, others))
}
