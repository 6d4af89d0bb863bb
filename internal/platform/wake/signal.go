package wake

import (
	"context"
	"time"
)

// Signal wakes one worker: once, however often it is sent before the worker waits. A nil
// Signal wakes no one.
type Signal chan struct{}

// NewSignal returns a signal that has not been sent.
func NewSignal() Signal { return make(Signal, 1) }

// Send sends the signal. It does not wait.
func (s Signal) Send() {
	select {
	case s <- struct{}{}:
	default: // sent already
	}
}

// Wait returns when the signal is sent, after a time, or when ctx ends.
func (s Signal) Wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s:
	}
}

// Sleep returns after a time, or when ctx ends.
func Sleep(ctx context.Context, d time.Duration) { Signal(nil).Wait(ctx, d) }
