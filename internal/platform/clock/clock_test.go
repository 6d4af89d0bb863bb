package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
)

func TestSystemReturnsTheCurrentTime(t *testing.T) {
	t.Parallel()
	before := time.Now()
	now := clock.System{}.Now()
	require.False(t, now.Before(before))
	require.False(t, now.After(time.Now()))
}

func TestFakeMovesOnlyWhenAdvanced(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)
	c := clock.NewFake(start)
	require.Equal(t, start, c.Now())
	require.Equal(t, start, c.Now(), "reading does not move it")
	c.Advance(90 * time.Second)
	require.Equal(t, start.Add(90*time.Second), c.Now())
	c.Advance(-2 * time.Minute)
	require.Equal(t, start.Add(-30*time.Second), c.Now(), "a clock can be set back")
}

func TestFakeCountsConcurrentAdvances(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	c := clock.NewFake(start)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 100 {
				c.Advance(time.Millisecond)
				_ = c.Now() // concurrent reads are allowed
			}
		})
	}
	callers.Wait()
	require.Equal(t, start.Add(800*time.Millisecond), c.Now())
}
