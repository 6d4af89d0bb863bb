package ratelimit_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// lookups counts the lookups of secrets, of which those named good exist.
type lookups struct {
	*ratelimit.Lookups

	clock *clock.Fake
	count atomic.Int64
}

func newLookups() *lookups {
	c := clock.NewFake(time.Unix(1_000_000, 0))
	return &lookups{Lookups: ratelimit.NewLookups(c, ratelimit.Limit{Requests: 3, Window: time.Minute}), clock: c}
}

func (l *lookups) try(ctx context.Context, caller, secret string) (exceeded bool, err error) {
	err = l.Do(ctx, caller, sha256.Sum256([]byte(secret)), func(context.Context) (bool, error) {
		l.count.Add(1)
		return secret[:4] == "good", nil
	})
	if _, ok := errors.AsType[*ratelimit.ExceededError](err); ok {
		return true, nil
	}
	return false, err
}

func TestMissesAreCountedByCaller(t *testing.T) {
	t.Parallel()
	l := newLookups()
	exceeded := func(caller, secret string) bool {
		over, err := l.try(t.Context(), caller, secret)
		require.NoError(t, err)
		return over
	}
	for i := range 10 {
		require.False(t, exceeded("nat", "good"+strconv.Itoa(i)), "secrets that exist are not counted")
	}
	for i := range 3 {
		require.False(t, exceeded("nat", "evil"+strconv.Itoa(i)))
	}
	before := l.count.Load()
	require.True(t, exceeded("nat", "evil3"))
	require.True(t, exceeded("nat", "good, but not seen before"))
	require.Equal(t, before, l.count.Load(), "without a lookup")
	require.False(t, exceeded("nat", "good0"), "seen before")
	require.False(t, exceeded("elsewhere", "evil4"))
	l.clock.Advance(time.Minute)
	require.False(t, exceeded("nat", "evil5"))
}

// TestABurstIsLimited starts lookups at the same time: none of their misses is counted yet.
func TestABurstIsLimited(t *testing.T) {
	t.Parallel()
	l := newLookups()
	var burst sync.WaitGroup
	for i := range 200 {
		burst.Go(func() { _, _ = l.try(t.Context(), "bot", "evil"+strconv.Itoa(i)) })
	}
	burst.Wait()
	require.LessOrEqual(t, l.count.Load(), int64(3+4), "the limit, and those in progress")
}

func TestFailedLookupsAreNotCounted(t *testing.T) {
	t.Parallel()
	l := newLookups()
	down := errors.New("database unavailable")
	for range 10 {
		err := l.Do(t.Context(), "nat", ratelimit.Secret{}, func(context.Context) (bool, error) { return false, down })
		require.ErrorIs(t, err, down)
	}
	over, err := l.try(t.Context(), "nat", "good")
	require.NoError(t, err)
	require.False(t, over)
}

// TestDeletedSecretsAreCounted: a revoked token must not be looked up forever.
func TestDeletedSecretsAreCounted(t *testing.T) {
	t.Parallel()
	l := newLookups()
	l.Remember(sha256.Sum256([]byte("gone")))
	for range 4 {
		over, err := l.try(t.Context(), "nat", "gone")
		require.NoError(t, err)
		require.False(t, over)
	}
	over, err := l.try(t.Context(), "nat", "gone")
	require.NoError(t, err)
	require.True(t, over)
	require.EqualValues(t, 4, l.count.Load())
}

// TestLookupsWaitNoLongerThanTheirRequest uses up the slots.
func TestLookupsWaitNoLongerThanTheirRequest(t *testing.T) {
	t.Parallel()
	l := newLookups()
	hang, entered := make(chan struct{}), make(chan struct{}, 4)
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			_ = l.Do(t.Context(), "slow", ratelimit.Secret{byte(i)}, func(context.Context) (bool, error) {
				entered <- struct{}{}
				<-hang
				return true, nil
			})
		})
	}
	for range 4 {
		<-entered
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.try(ctx, "nat", "good")
	require.ErrorIs(t, err, context.Canceled)
	close(hang)
	running.Wait()
}
