package ratelimit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// patience is the longest that a request waits for the shared limiter.
	patience = 100 * time.Millisecond
	// probeInterval is the time between attempts to reach a shared limiter that is down.
	probeInterval = time.Second
	probeKey      = "probe"
)

// Shared counts in a limiter that all replicas share. It is a circuit breaker: after
// one failure or timeout it counts in this process, without asking the shared limiter,
// until a probe in the background succeeds. An outage therefore relaxes the limits to
// those of each replica, rejects no one, and delays only the requests that were in
// flight when it began, by 100 ms at most.
type Shared struct {
	shared, local Limiter
	log           *slog.Logger
	down          atomic.Bool
	failed        chan struct{} // wakes Run
}

// NewShared returns a limiter that counts in shared, or in local while shared fails.
// It recovers from a failure only while Run is running.
func NewShared(shared, local Limiter, log *slog.Logger) *Shared {
	return &Shared{shared: shared, local: local, log: log, failed: make(chan struct{}, 1)}
}

// Take implements Limiter.
func (s *Shared) Take(ctx context.Context, key string, limit Limit) (Result, error) {
	if !s.down.Load() {
		taken, err := s.ask(ctx, key, limit)
		if err == nil {
			return taken, nil
		}
		if ctx.Err() == nil { // otherwise the caller has gone, and the limiter may be available
			s.open(ctx, err)
		}
	}
	return s.local.Take(ctx, key, limit)
}

// Run probes the shared limiter while it is down, until ctx ends.
func (s *Shared) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.failed:
		}
		for s.down.Load() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(probeInterval):
			}
			// A count and not a ping: a read-only replica responds to a ping too.
			if _, err := s.ask(ctx, probeKey, Limit{Requests: 1, Window: probeInterval}); err == nil {
				s.down.Store(false)
				s.log.InfoContext(ctx, "shared rate limits are back")
			}
		}
	}
}

func (s *Shared) ask(ctx context.Context, key string, limit Limit) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.shared.Take(ctx, key, limit)
}

func (s *Shared) open(ctx context.Context, err error) {
	if !s.down.CompareAndSwap(false, true) {
		return
	}
	s.log.WarnContext(ctx, "shared rate limits are down: counting in this process", "error", err)
	select {
	case s.failed <- struct{}{}:
	default: // Run has not seen the last failure yet
	}
}
