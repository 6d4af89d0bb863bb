package ratelimit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/avelto/convo/internal/platform/clock"
)

const (
	// lookupSlots is how many secrets that were not seen before are looked up at a time.
	lookupSlots = 4
	// knownSecrets bounds the memory of the known secrets: about 50 bytes each.
	knownSecrets = 50_000
)

// Secret is the SHA-256 of a secret that a caller presents, such as a token.
type Secret [sha256.Size]byte

// ExceededError means that a caller has looked up too many secrets that do not exist.
type ExceededError struct{ Result }

// Error implements error.
func (e *ExceededError) Error() string {
	return fmt.Sprintf("too many unknown secrets: next try in %s", e.ResetAfter)
}

// Lookups limits the lookups of secrets that turn out not to exist, by caller, so that
// guesses cost no more than a few queries. A secret that exists is never counted, however
// many callers share an address, and once seen it is looked up even if its address has
// exceeded the limit. Each process counts its own.
type Lookups struct {
	limit  Limit
	misses *Memory
	slots  chan struct{}

	mu    sync.Mutex
	known map[Secret]struct{}
}

// NewLookups returns Lookups that allow each caller a number of misses in a window.
func NewLookups(c clock.Clock, limit Limit) *Lookups {
	return &Lookups{limit: limit, misses: NewMemory(c), slots: make(chan struct{}, lookupSlots), known: map[Secret]struct{}{}}
}

// Do calls lookup, which reports whether the secret exists, or fails with an
// *ExceededError. Few lookups of new secrets run at a time, so that a burst cannot
// start before its first misses are counted, nor use up a connection pool.
func (l *Lookups) Do(ctx context.Context, caller string, secret Secret, lookup func(context.Context) (found bool, err error)) error {
	if l.isKnown(secret) {
		found, err := lookup(ctx)
		if err == nil && !found {
			l.forget(secret)
		}
		return err
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a lookup: %w", ctx.Err())
	}
	if left := l.misses.Peek(caller, l.limit); !left.Allowed {
		return &ExceededError{left}
	}
	found, err := lookup(ctx)
	if err != nil {
		return err
	}
	if found {
		l.Remember(secret)
		return nil
	}
	_, err = l.misses.Take(ctx, caller, l.limit)
	return err
}

func (l *Lookups) isKnown(secret Secret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.known[secret]
	return ok
}

// Remember marks a secret as one that exists.
func (l *Lookups) Remember(secret Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= knownSecrets {
		clear(l.known)
	}
	l.known[secret] = struct{}{}
}

func (l *Lookups) forget(secret Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, secret)
}
