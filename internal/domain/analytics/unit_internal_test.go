package analytics

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTheMedianIsAccurate compares medians of random reply times with exact ones.
func TestTheMedianIsAccurate(t *testing.T) {
	t.Parallel()
	require.Nil(t, median(nil, nil))
	require.Nil(t, median([]int16{7, 7}, []int64{1, -1}), "a reply that has moved elsewhere")
	require.Zero(t, *median([]int16{0}, []int64{3}))
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		bucket := int16(1 + random.IntN(540))
		lower, upper := middleOf(int(bucket))/1.0248, middleOf(int(bucket))*1.0248
		got := *median([]int16{bucket, 1, 540}, []int64{5, 2, 2})
		require.Greater(t, got+0.001, lower)
		require.Less(t, got-0.001, upper)
	}
	even := *median([]int16{100, 200}, []int64{1, 1})
	require.InDelta(t, (middleOf(100)+middleOf(200))/2, even, 1e-9)
}

func TestASpanIsSplitAtMidnight(t *testing.T) {
	t.Parallel()
	at := func(hours int) time.Time { return time.Date(2026, 4, 1, hours, 0, 0, 0, time.UTC) }
	for name, one := range map[string]struct{ span, head, days, tail Span }{
		"whole days":    {Span{at(0), at(48)}, Span{at(0), at(0)}, Span{at(0), at(48)}, Span{at(48), at(48)}},
		"both ends":     {Span{at(6), at(54)}, Span{at(6), at(24)}, Span{at(24), at(48)}, Span{at(48), at(54)}},
		"within a day":  {Span{at(6), at(7)}, Span{at(6), at(7)}, Span{at(24), at(24)}, Span{at(7), at(7)}},
		"over a night":  {Span{at(20), at(30)}, Span{at(20), at(24)}, Span{at(24), at(24)}, Span{at(24), at(30)}},
		"from midnight": {Span{at(0), at(3)}, Span{at(0), at(0)}, Span{at(0), at(0)}, Span{at(0), at(3)}},
	} {
		head, days, tail := one.span.split()
		require.Equal(t, one.head, head, name)
		require.Equal(t, one.days, days, name)
		require.Equal(t, one.tail, tail, name)
	}
}
