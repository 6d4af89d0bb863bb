package ratelimit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/avelto/convo/internal/platform/clock"
)

const (
	shards = 32
	// sweepAt is the number of keys at which a shard deletes windows that have ended. The
	// threshold is then set to twice the number of remaining keys.
	sweepAt = 1024
)

// Memory counts in this process, for a single replica.
type Memory struct {
	clock  clock.Clock
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	windows map[string]window
	sweepAt int
}

type window struct {
	count int64
	ends  time.Time
}

// NewMemory returns a limiter without any counts.
func NewMemory(c clock.Clock) *Memory {
	m := &Memory{clock: c, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].windows = map[string]window{}
		m.shards[i].sweepAt = sweepAt
	}
	return m
}

// Take implements Limiter; it never fails.
func (m *Memory) Take(_ context.Context, key string, limit Limit) (Result, error) {
	now := m.clock.Now()
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[key]
	if !now.Before(w.ends) {
		w = window{ends: now.Add(limit.Window)}
		s.sweep(now)
	}
	w.count++
	s.windows[key] = w
	return result(w.count, limit, w.ends.Sub(now)), nil
}

// Peek returns what the next Take of a key would return, without counting a request.
func (m *Memory) Peek(key string, limit Limit) Result {
	now := m.clock.Now()
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[key]
	if !now.Before(w.ends) {
		w = window{ends: now.Add(limit.Window)}
	}
	return result(w.count+1, limit, w.ends.Sub(now))
}

func (s *shard) sweep(now time.Time) {
	if len(s.windows) < s.sweepAt {
		return
	}
	for key, w := range s.windows {
		if !now.Before(w.ends) {
			delete(s.windows, key)
		}
	}
	s.sweepAt = max(sweepAt, 2*len(s.windows))
}

// Len returns the number of keys that are kept.
func (m *Memory) Len() int {
	total := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		total += len(s.windows)
		s.mu.Unlock()
	}
	return total
}
