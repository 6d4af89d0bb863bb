package check_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/scripts/ledger/check"
)

func TestCompareFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	kept := []string{"a", "b", "c"}
	for name, one := range map[string]struct {
		sides                       check.Sides
		lost, invented, unexplained []string
		duplicates                  int
	}{
		"nothing":                {sides: check.Sides{Acknowledged: kept, Found: kept}},
		"another order":          {sides: check.Sides{Acknowledged: kept, Found: []string{"c", "a", "b"}}},
		"a loss":                 {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "c"}}, lost: []string{"b"}},
		"an invention":           {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "b", "c", "d"}}, invented: []string{"d"}},
		"an unknown outcome":     {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "b", "c", "d"}, Unknown: map[string]bool{"d": true, "e": true}}},
		"a duplicate":            {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "b", "b", "c"}}, unexplained: []string{"b"}, duplicates: 1},
		"an allowed duplicate":   {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "b", "b", "c"}, Again: map[string]int{"b": 1}}, duplicates: 1},
		"one duplicate too many": {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "b", "b", "b", "c"}, Again: map[string]int{"b": 1}}, unexplained: []string{"b"}, duplicates: 2},
		"a loss and a duplicate": {sides: check.Sides{Acknowledged: kept, Found: []string{"a", "a", "c"}}, lost: []string{"b"}, unexplained: []string{"a"}, duplicates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tally := check.Compare(one.sides)
			require.Equal(t, one.lost, tally.Lost)
			require.Equal(t, one.invented, tally.Invented)
			require.Equal(t, one.unexplained, tally.Unexplained)
			require.Equal(t, one.duplicates, tally.Duplicates)
			require.Equal(t, len(one.lost)+len(one.invented)+len(one.unexplained) == 0, tally.OK())
		})
	}
}

func feed(sequences ...int64) (all []check.Numbered) {
	for _, sequence := range sequences {
		all = append(all, check.Numbered{Sequence: sequence, ID: string(rune('a' + sequence))})
	}
	return all
}

func TestGapsFindsMissingRepeatedAndReorderedNumbers(t *testing.T) {
	t.Parallel()
	require.Empty(t, check.Gaps(nil))
	require.Empty(t, check.Gaps(feed(1, 2, 3)))
	require.Equal(t, []int64{1}, check.Gaps(feed(2, 3)))
	require.Equal(t, []int64{2, 3}, check.Gaps(feed(1, 4)))
	require.Equal(t, []int64{2}, check.Gaps(feed(1, 2, 2, 3)))
	require.Equal(t, []int64{2, 2}, check.Gaps(feed(1, 3, 2, 4)), "skipped, and later out of order")
}

func TestRewrittenFindsEventsThatAReaderHasSeenAndThatAreGone(t *testing.T) {
	t.Parallel()
	final := feed(1, 2, 3)
	require.Empty(t, check.Rewritten(feed(1, 2), final))
	require.Equal(t, []int64{4}, check.Rewritten(feed(1, 2, 3, 4), final))
	require.Equal(t, []int64{2}, check.Rewritten([]check.Numbered{{Sequence: 2, ID: "other"}}, final))
}

func TestLongestGapIncludesBothEnds(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC)
	at := func(seconds ...int) (moments []time.Time) {
		for _, n := range seconds {
			moments = append(moments, start.Add(time.Duration(n)*time.Second))
		}
		return moments
	}
	end := at(10)[0]
	require.Equal(t, 10*time.Second, check.LongestGap(start, end, nil))
	require.Equal(t, 4*time.Second, check.LongestGap(start, end, at(8, 1, 2, 6)), "in any order")
	require.Equal(t, 5*time.Second, check.LongestGap(start, end, at(5)))
	require.Equal(t, 7*time.Second, check.LongestGap(start, end, at(-3, 3, 20)), "other moments do not count")
}
