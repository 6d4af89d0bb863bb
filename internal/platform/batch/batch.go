// Package batch collects items in memory and writes them in batches, for records that
// are made too often for a statement each.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// flushTimeout bounds a flush; what is not written by then waits for the next.
const flushTimeout = 10 * time.Second

// Options of a Buffer of items T. K is the type of keys, if Key is set.
type Options[T any, K comparable] struct {
	// Name says what the items are, for the log: "audit entries".
	Name string
	// Interval is the time between flushes.
	Interval time.Duration
	// Capacity is how many items are held at most; further ones are dropped.
	Capacity int
	// MaxBatch is the maximum number of items in one write.
	MaxBatch int
	// Key, if set, gives items an identity: a later one replaces an earlier one that
	// has not been written yet.
	Key func(T) K
	// Write writes a batch, all of it or nothing. After an error its items are kept for
	// the next flush.
	Write func(ctx context.Context, items []T) error
}

// Buffer holds items until they are written. Its methods can be called concurrently,
// Run once.
type Buffer[T any, K comparable] struct {
	options Options[T, K]

	mu      sync.Mutex
	items   []T
	index   map[K]int // of items by key; empty without Options.Key
	dropped int
}

// New returns an empty buffer. Nothing is written until Run.
func New[T any, K comparable](options Options[T, K]) *Buffer[T, K] {
	return &Buffer[T, K]{options: options, index: map[K]int{}}
}

// Add adds an item and returns immediately.
func (b *Buffer[T, K]) Add(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(item)
}

func (b *Buffer[T, K]) add(item T) {
	var key K
	if b.options.Key != nil {
		key = b.options.Key(item)
		if i, ok := b.index[key]; ok {
			b.items[i] = item
			return
		}
	}
	if len(b.items) >= b.options.Capacity {
		b.dropped++
		return
	}
	if b.options.Key != nil {
		b.index[key] = len(b.items)
	}
	b.items = append(b.items, item)
}

// Run flushes at each interval, and once more when ctx ends.
func (b *Buffer[T, K]) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(b.options.Interval)
	defer ticker.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-ticker.C:
		}
		if err := b.Flush(context.WithoutCancel(ctx)); err != nil {
			log.WarnContext(ctx, b.options.Name+" not written yet", "error", err)
		}
		if n := b.takeDropped(); n > 0 {
			log.ErrorContext(ctx, b.options.Name+" dropped: the buffer is full", "count", n)
		}
	}
}

// Flush writes all items, in batches, within 10 seconds. Items that could not be
// written are kept for the next flush.
func (b *Buffer[T, K]) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	items := b.take()
	for len(items) > 0 {
		n := min(b.options.MaxBatch, len(items))
		if err := b.options.Write(ctx, items[:n]); err != nil {
			b.restore(items)
			return err
		}
		items = items[n:]
	}
	return nil
}

func (b *Buffer[T, K]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = nil
	clear(b.index)
	return items
}

// restore puts items back before those added in the meantime.
func (b *Buffer[T, K]) restore(items []T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	newer := b.items
	b.items = nil
	clear(b.index)
	for _, item := range items {
		b.add(item)
	}
	for _, item := range newer {
		b.add(item)
	}
}

func (b *Buffer[T, K]) takeDropped() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.dropped
	b.dropped = 0
	return n
}
