package ratelimit_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/testing/apitest"
)

const sharedRemaining = 42

var (
	oneAMinute = ratelimit.Limit{Requests: 1, Window: time.Minute}
	plenty     = ratelimit.Limit{Requests: 1_000_000, Window: time.Hour}
)

// remote is a shared limiter that fails in the way a test sets.
type remote struct {
	fault atomic.Pointer[func(context.Context) error]
	calls atomic.Int64
}

func (r *remote) Take(ctx context.Context, _ string, _ ratelimit.Limit) (ratelimit.Result, error) {
	r.calls.Add(1)
	if fault := r.fault.Load(); fault != nil {
		return ratelimit.Result{}, (*fault)(ctx)
	}
	return ratelimit.Result{Allowed: true, Remaining: sharedRemaining}, nil
}

func refuse(context.Context) error { return errors.New("connection refused") }

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// breaker runs a test with a limiter over first, in a bubble.
func breaker(t *testing.T, test func(t *testing.T, first *remote, take func() ratelimit.Result)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		first := &remote{}
		limiter := ratelimit.NewShared(first, ratelimit.NewMemory(clock.System{}), slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go limiter.Run(ctx)
		test(t, first, func() ratelimit.Result {
			taken, err := limiter.Take(t.Context(), "a", oneAMinute)
			require.NoError(t, err)
			return taken
		})
	})
}

func TestOnlyRequestsInFlightWaitForASharedLimiterThatHangs(t *testing.T) {
	t.Parallel()
	breaker(t, func(t *testing.T, first *remote, take func() ratelimit.Result) {
		require.Equal(t, sharedRemaining, take().Remaining)
		first.fault.Store(new(hang))
		began := time.Now()
		var inFlight sync.WaitGroup
		for range 100 {
			inFlight.Go(func() { take() })
		}
		inFlight.Wait()
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		began, asked := time.Now(), first.calls.Load()
		for range 100 {
			require.False(t, take().Allowed, "the local limiter keeps the limit")
		}
		require.Zero(t, time.Since(began))
		require.Equal(t, asked, first.calls.Load(), "a limiter known to be down is not asked")
	})
}

func TestProbesDetectRecoveryWithinASecond(t *testing.T) {
	t.Parallel()
	breaker(t, func(t *testing.T, first *remote, take func() ratelimit.Result) {
		for range 3 { // outages
			first.fault.Store(new(refuse))
			take()
			asked := first.calls.Load()
			time.Sleep(10500 * time.Millisecond) // of the bubble's clock
			require.Equal(t, asked+10, first.calls.Load())
			require.NotEqual(t, sharedRemaining, take().Remaining)
			first.fault.Store(nil)
			time.Sleep(time.Second)
			require.Equal(t, sharedRemaining, take().Remaining)
		}
	})
}

func TestCanceledCallersDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	first := &remote{}
	limiter := ratelimit.NewShared(first, ratelimit.NewMemory(clock.System{}), slog.New(slog.DiscardHandler))
	first.fault.Store(new(hang))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := limiter.Take(gone, "a", oneAMinute)
	require.NoError(t, err)
	first.fault.Store(nil)
	taken, err := limiter.Take(t.Context(), "a", oneAMinute)
	require.NoError(t, err)
	require.Equal(t, sharedRemaining, taken.Remaining)
}

// percentile99 of n calls.
func percentile99(t *testing.T, limiter ratelimit.Limiter, n int) time.Duration {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		_, err := limiter.Take(t.Context(), "a", plenty)
		took[i] = time.Since(began)
		require.NoError(t, err)
	}
	slices.Sort(took)
	return took[n*99/100]
}

// TestRateLimitsSurviveARedisOutage pauses a Redis server, resumes it, and kills it.
func TestRateLimitsSurviveARedisOutage(t *testing.T) {
	t.Parallel()
	server := apitest.StartRedis(t)
	client, err := ratelimit.OpenRedis(server.URL)
	require.NoError(t, err)
	defer client.Close()
	limiter := ratelimit.NewShared(ratelimit.NewRedis(client), ratelimit.NewMemory(clock.System{}), slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go limiter.Run(ctx)
	counted := func() int64 { return server.DBSize(t.Context()).Val() }
	isShared := func() bool {
		require.NoError(t, server.FlushDB(t.Context()).Err())
		_, err := limiter.Take(t.Context(), "a", plenty)
		return err == nil && counted() == 1
	}
	require.Eventually(t, isShared, 10*time.Second, 10*time.Millisecond)
	const calls = 1000
	normal := percentile99(t, limiter, calls)
	server.Freeze(t)
	hung := percentile99(t, limiter, calls)
	server.Thaw(t)
	require.Eventually(t, isShared, 10*time.Second, 10*time.Millisecond, "it counts in Redis again")
	server.Kill()
	dead := percentile99(t, limiter, calls)
	apitest.Tallyf(t, "rate limits: p99 of one count is %s with Redis, %s while it hangs, %s without it", normal, hung, dead)
	require.Less(t, hung, max(normal*3/2, 10*time.Millisecond))
	require.Less(t, dead, max(normal*3/2, 10*time.Millisecond))
}

func TestAMalformedRedisURLIsNotEchoed(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"redis://user:secret-word@host:port/0", "secret-word", "http://:secret-word@host", "redis://:secret-word@host/%zz", "redis://host/secret-word", "redis://host?secret-word=1"} {
		_, err := ratelimit.OpenRedis(url)
		require.ErrorContains(t, err, "Redis URL", url)
		require.NotContains(t, err.Error(), "secret-word")
	}
}
