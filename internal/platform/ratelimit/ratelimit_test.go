package ratelimit_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/testing/apitest"
)

// subject is a limiter under test and a way to let time pass for it.
type subject struct {
	limiter ratelimit.Limiter
	advance func(time.Duration)
}

// each runs a test against both limiters.
func each(t *testing.T, test func(t *testing.T, s subject)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := clock.NewFake(time.Unix(1_000_000, 0))
		test(t, subject{ratelimit.NewMemory(c), c.Advance})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		client := apitest.StartRedis(t).Client
		test(t, subject{ratelimit.NewRedis(client), func(d time.Duration) { age(t, client, d) }})
	})
}

// age lets time pass for all keys: Redis has no clock to set.
func age(t *testing.T, client *redis.Client, d time.Duration) {
	t.Helper()
	for _, key := range client.Keys(t.Context(), "*").Val() {
		left := client.PTTL(t.Context(), key).Val() - d
		if left <= 0 {
			require.NoError(t, client.Del(t.Context(), key).Err())
		} else {
			require.NoError(t, client.PExpire(t.Context(), key, left).Err())
		}
	}
}

func TestWindowAllowsExactlyItsLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s subject) {
		limit := ratelimit.Limit{Requests: 3, Window: time.Minute}
		for _, remaining := range []int{2, 1, 0} {
			taken, err := s.limiter.Take(t.Context(), "a", limit)
			require.NoError(t, err)
			require.True(t, taken.Allowed)
			require.Equal(t, remaining, taken.Remaining)
			require.InDelta(t, time.Minute, taken.ResetAfter, float64(10*time.Second))
		}
		refused, err := s.limiter.Take(t.Context(), "a", limit)
		require.NoError(t, err)
		require.False(t, refused.Allowed)
		require.Zero(t, refused.Remaining)
		s.advance(refused.ResetAfter)
		again, err := s.limiter.Take(t.Context(), "a", limit)
		require.NoError(t, err)
		require.True(t, again.Allowed, "honoring the wait succeeds")
		require.Equal(t, 2, again.Remaining)
	})
}

func TestKeysAreIndependent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s subject) {
		limit := ratelimit.Limit{Requests: 1, Window: time.Minute}
		for i := range 20 {
			taken, err := s.limiter.Take(t.Context(), fmt.Sprint("key ", i), limit)
			require.NoError(t, err)
			require.True(t, taken.Allowed)
		}
	})
}

func TestConcurrentRequestsAreEachCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s subject) {
		limit := ratelimit.Limit{Requests: 50, Window: time.Minute}
		var allowed atomic.Int64
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 25 {
					taken, err := s.limiter.Take(t.Context(), "a", limit)
					if err == nil && taken.Allowed {
						allowed.Add(1)
					}
				}
			})
		}
		callers.Wait()
		require.Equal(t, int64(50), allowed.Load())
	})
}

func TestMemoryForgetsWindowsThatHaveEnded(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Unix(0, 0))
	m := ratelimit.NewMemory(c)
	for round := range 3 {
		for i := range 100_000 {
			_, err := m.Take(t.Context(), strconv.Itoa(round*100_000+i), ratelimit.Limit{Requests: 1, Window: time.Second})
			require.NoError(t, err)
		}
		c.Advance(time.Hour)
	}
	require.Less(t, m.Len(), 200_000)
}

// BenchmarkMemory measures counting one request in the process.
func BenchmarkMemory(b *testing.B) {
	m := ratelimit.NewMemory(clock.System{})
	limit := ratelimit.Limit{Requests: 600, Window: time.Minute}
	b.ReportAllocs()
	for b.Loop() {
		_, err := m.Take(b.Context(), "019684aa-5e00-7c3a-9f21-6a0b5f1d2e01 GET /leads", limit)
		require.NoError(b, err)
	}
}
