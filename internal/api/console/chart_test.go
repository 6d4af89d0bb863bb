package console

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func drawn(labels int, values ...[]int64) *chart {
	c := &chart{}
	for i := range labels {
		c.Labels = append(c.Labels, fmt.Sprint("day ", i))
	}
	for i, of := range values {
		c.Series = append(c.Series, series{fmt.Sprint("series ", i), of})
	}
	c.draw()
	return c
}

func TestGridStepIsOneTwoOrFive(t *testing.T) {
	t.Parallel()
	for highest, want := range map[int64]int64{0: 1, 1: 1, 4: 1, 5: 2, 8: 2, 9: 5, 20: 5, 21: 10, 40: 10, 41: 20, 4000: 1000, 4001: 2000} {
		require.Equal(t, want, niceStep(highest), highest)
	}
}

// TestBarsAreProportional: a bar's height is its share of the scale.
func TestBarsAreProportional(t *testing.T) {
	t.Parallel()
	c := drawn(3, []int64{1, 2, 4})
	require.Len(t, c.Bars, 3)
	require.EqualValues(t, 7, c.Total)
	require.InDelta(t, 2*c.Bars[0].Height, c.Bars[1].Height, 0.2)
	require.InDelta(t, 4*c.Bars[0].Height, c.Bars[2].Height, 0.4)
	floor := c.Lines[0].Y
	require.Equal(t, "0", c.Lines[0].Label)
	for _, b := range c.Bars {
		require.InDelta(t, floor, b.Y+b.Height, 0.11, "bars start at the zero line")
	}
	require.Equal(t, "day 2: 4", c.Bars[2].Text)
}

func TestSeriesAreStacked(t *testing.T) {
	t.Parallel()
	c := drawn(1, []int64{3}, []int64{0}, []int64{5})
	require.Len(t, c.Bars, 2, "no bar for zero")
	bottom, top := c.Bars[0], c.Bars[1]
	require.Equal(t, 0, bottom.Series)
	require.Equal(t, 2, top.Series)
	require.InDelta(t, bottom.Y, top.Y+top.Height, 0.11, "the second starts where the first ends")
	require.Equal(t, "day 0: 5 series 2", top.Text)
	require.EqualValues(t, 8, c.Total)
}

// TestEverythingIsInsideTheFrame draws charts of many sizes and values.
func TestEverythingIsInsideTheFrame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 7, 31, 366} {
		for _, value := range []int64{0, 1, 3, 99, 1_000_000_007, math.MaxInt32} {
			values := make([]int64, n)
			for i := range values {
				values[i] = value * int64(i%3)
			}
			c := drawn(n, values, values)
			require.LessOrEqual(t, len(c.Captions), mostCaptions, n)
			require.GreaterOrEqual(t, len(c.Lines), 2, "a scale has at least zero and a maximum")
			for _, b := range c.Bars {
				require.Positive(t, b.Width)
				require.GreaterOrEqual(t, b.Height, 0.0)
				require.GreaterOrEqual(t, b.X, float64(marginLeft)-0.1)
				require.LessOrEqual(t, b.X+b.Width, c.FrameRight+0.2)
				require.GreaterOrEqual(t, b.Y, float64(marginTop)-0.1)
			}
			for _, line := range c.Lines {
				require.True(t, line.Y >= marginTop && line.Y <= c.Height && !math.IsNaN(line.Y), "%d %d: %v", n, value, line)
			}
		}
	}
}

func TestEmptyChartHasScale(t *testing.T) {
	t.Parallel()
	c := drawn(5, make([]int64, 5))
	require.Zero(t, c.Total)
	require.Empty(t, c.Bars)
	require.Len(t, c.Captions, 5)
	require.Equal(t, "4", c.Lines[len(c.Lines)-1].Label)
}
