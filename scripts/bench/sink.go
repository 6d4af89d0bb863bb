//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// hangingPath is the path of the endpoint that can hang.
const hangingPath = "/0"

// sink receives deliveries and records when each event arrived.
type sink struct {
	server *http.Server
	base   string
	hangs  atomic.Bool

	mu     sync.Mutex
	came   map[uuid.UUID]time.Time
	others int // at endpoints that never hang
}

func openSink(ctx context.Context) (*sink, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &sink{base: "http://" + listener.Addr().String(), came: map[uuid.UUID]time.Time{}}
	s.server = &http.Server{Handler: http.HandlerFunc(s.receive), ReadHeaderTimeout: time.Minute}
	go s.server.Serve(listener) //nolint:errcheck // ends when the server is closed
	return s, nil
}

func (s *sink) url(endpoint int) string { return fmt.Sprintf("%s/%d", s.base, endpoint) }
func (s *sink) hang(on bool)            { s.hangs.Store(on) }
func (s *sink) close()                  { _ = s.server.Close() } // no requests are in flight

func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if r.URL.Path == hangingPath && s.hangs.Load() {
		<-r.Context().Done()
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
}

func (s *sink) counts() (all, others int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.came), s.others
}

func (s *sink) arrivals() map[uuid.UUID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.came
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
