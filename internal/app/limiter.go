package app

import (
	"context"
	"fmt"
	"math"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// newLimiter returns a limiter that counts in this process, or in Redis if that is
// configured; while Redis is unavailable, requests are counted in this process.
func (a *App) newLimiter(config Config, parts Parts) (ratelimit.Limiter, error) {
	inProcess := ratelimit.NewMemory(parts.Clock)
	if config.RedisURL == "" {
		return inProcess, nil
	}
	client, err := ratelimit.OpenRedis(config.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	a.opened = append(a.opened, func() { _ = client.Close() }) // reports only that it is closed already
	shared := ratelimit.NewShared(ratelimit.NewRedis(client), inProcess, parts.Log)
	a.loops = append(a.loops, func(ctx context.Context) {
		shared.Run(ctx)
		if err := client.Close(); err != nil {
			parts.Log.WarnContext(ctx, "Redis client not closed", "error", err)
		}
	})
	return shared, nil
}

// newLookups returns the limiter of guesses of tokens and session cookies, with the rate
// limit of unauthenticated callers. A test that replaces the rate limiter has no such
// limit.
func newLookups(parts Parts, document *spec.Document) *ratelimit.Lookups {
	limit := document.RateLimits["anonymous"].Limit
	if parts.Limiter != nil {
		limit.Requests = math.MaxInt
	}
	return ratelimit.NewLookups(parts.Clock, limit)
}
