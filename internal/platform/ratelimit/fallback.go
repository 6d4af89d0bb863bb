package ratelimit

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Fallback counts by another limiter while the first one fails: a Redis outage
// then loosens the limits to those of each replica, and refuses nobody.
type Fallback struct {
	First, Other Limiter
	Log          *slog.Logger

	failing atomic.Bool
}

// Take implements Limiter.
func (f *Fallback) Take(ctx context.Context, key string, limit Limit) (Result, error) {
	taken, err := f.First.Take(ctx, key, limit)
	if err == nil {
		if f.failing.CompareAndSwap(true, false) {
			f.Log.InfoContext(ctx, "shared rate limits are back")
		}
		return taken, nil
	}
	if ctx.Err() == nil && f.failing.CompareAndSwap(false, true) {
		f.Log.WarnContext(ctx, "shared rate limits fail: counting in this process", "error", err)
	}
	return f.Other.Take(ctx, key, limit)
}
