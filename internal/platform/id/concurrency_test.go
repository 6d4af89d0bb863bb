package id_test

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
)

// TestConcurrentCallersGetUniqueAscendingIDs requires ascending ids for each caller, and
// no id twice among all of them.
func TestConcurrentCallersGetUniqueAscendingIDs(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 5000
	ids := id.NewGenerator(clock.System{})
	made := make([][]uuid.UUID, callers)
	var group sync.WaitGroup
	for i := range made {
		group.Go(func() {
			for range each {
				next, _ := ids.New()
				made[i] = append(made[i], next)
			}
		})
	}
	group.Wait()
	seen := make(map[uuid.UUID]bool, callers*each)
	for _, list := range made {
		for i, next := range list {
			require.False(t, seen[next], "made twice: %s", next)
			seen[next] = true
			if i > 0 {
				require.Positive(t, bytes.Compare(next[:], list[i-1][:]))
			}
		}
	}
	require.Len(t, seen, callers*each)
}

// TestReplicasWithTheSameClockDoNotCollide relies on the 62 random bits.
func TestReplicasWithTheSameClockDoNotCollide(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Unix(1_777_550_400, 0))
	one, other := id.NewGenerator(c), id.NewGenerator(c)
	seen := map[uuid.UUID]bool{}
	for range 5000 {
		a, _ := one.New()
		b, _ := other.New()
		require.False(t, seen[a] || seen[b] || a == b)
		seen[a], seen[b] = true, true
	}
}

func TestIDsAscendWithTheClock(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Microsecond, time.Millisecond, time.Hour, 365 * 24 * time.Hour} {
		c := clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))
		ids := id.NewGenerator(c)
		last, _ := ids.New()
		for range 100 {
			c.Advance(step)
			next, at := ids.New()
			require.Positive(t, bytes.Compare(next[:], last[:]), step)
			require.WithinDuration(t, c.Now(), at, time.Millisecond, step)
			last = next
		}
	}
}

// TestClockSetBackDoesNotSetIDsBack requires the time in the ids to stay where it was
// until the clock has caught up.
func TestClockSetBackDoesNotSetIDsBack(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)
	c := clock.NewFake(start)
	ids := id.NewGenerator(c)
	last, _ := ids.New()
	c.Advance(-time.Hour)
	next, at := ids.New()
	require.Equal(t, start, at)
	require.Positive(t, bytes.Compare(next[:], last[:]))
	c.Advance(time.Hour + time.Second)
	_, at = ids.New()
	require.Equal(t, start.Add(time.Second), at)
}

// TestABurstContinuesInTheNextMillisecond makes more ids in a millisecond than the 12
// bits below it can count.
func TestABurstContinuesInTheNextMillisecond(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)
	ids := id.NewGenerator(clock.NewFake(start))
	var last time.Time
	for range 4096 {
		_, last = ids.New()
	}
	require.Equal(t, start, last)
	next, at := ids.New()
	require.Equal(t, start.Add(time.Millisecond), at)
	require.Equal(t, uuid.Version(7), next.Version())
}

func TestFloorSortsWithTimeAndMaxIsAboveEverything(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 30, 12, 0, 0, 999_999, time.UTC)
	floor, later := id.Floor(at), id.Floor(at.Add(time.Millisecond))
	require.Negative(t, bytes.Compare(floor[:], later[:]))
	require.Equal(t, floor, id.Floor(at.Truncate(time.Millisecond)), "cut to the millisecond")
	farFuture := id.Floor(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	require.Negative(t, bytes.Compare(farFuture[:], id.Max[:]))
}

// TestAnExhaustedSeedPanics also requires that the generator is not left locked.
func TestAnExhaustedSeedPanics(t *testing.T) {
	t.Parallel()
	ids := id.NewSeeded(clock.NewFake(time.Unix(1, 0)), io.LimitReader(strings.NewReader("12345678abc"), 11))
	require.NotPanics(t, func() { ids.New() })
	for range 2 {
		require.Panics(t, func() { ids.New() })
	}
}
