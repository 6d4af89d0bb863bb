package dispatcher

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoffFollowsTheScheduleWithJitter(t *testing.T) {
	t.Parallel()
	for tries, want := range Schedule {
		for range 50 {
			wait, again := backoff(Schedule, tries, 0)
			require.True(t, again)
			require.InDelta(t, want.Seconds(), wait.Seconds(), jitter*want.Seconds())
		}
	}
	_, again := backoff(Schedule, len(Schedule), 0)
	require.False(t, again, "there is no attempt after the last wait")
	first, _ := backoff(Schedule, 0, 0)
	different := false
	for range 50 {
		wait, _ := backoff(Schedule, 0, 0)
		different = different || wait != first
	}
	require.True(t, different, "waits vary")
}

func TestBackoffHonorsRetryAfterUpToADay(t *testing.T) {
	t.Parallel()
	wait, again := backoff(Schedule, 0, time.Hour)
	require.True(t, again)
	require.Equal(t, time.Hour, wait)
	wait, _ = backoff(Schedule, 0, 365*24*time.Hour)
	require.Equal(t, maxRetryAfter, wait)
	wait, _ = backoff(Schedule, 3, time.Second)
	require.Greater(t, wait, time.Hour, "the endpoint cannot ask for less than the schedule")
}

func TestPauseDoublesWithEachFailure(t *testing.T) {
	t.Parallel()
	for failures := range downAfter {
		require.Zero(t, pause(Schedule, failures), "not down after %d failures", failures)
	}
	require.Equal(t, 5*time.Second, pause(Schedule, downAfter))
	require.Equal(t, 10*time.Second, pause(Schedule, downAfter+1))
	require.Equal(t, 160*time.Second, pause(Schedule, downAfter+5))
	require.Equal(t, maxPause, pause(Schedule, downAfter+6))
	require.Equal(t, maxPause, pause(Schedule, math.MaxInt32), "no overflow")
	require.Zero(t, pause(nil, downAfter))
	require.Equal(t, time.Second, pause([]time.Duration{time.Second}, downAfter+9), "no longer than the schedule's longest wait")
}
