package console

import (
	"fmt"
	"math"
	"strconv"
)

// chart is a stacked bar chart over time. It is rendered on the server as SVG and gets
// its colors from the stylesheet (ADR 12).
type chart struct {
	ID, Title string
	Labels    []string // one per bucket
	Series    []series

	Total      int64
	Bars       []bar
	Lines      []gridLine
	Captions   []caption
	Width      float64
	Height     float64
	FrameRight float64
	Foot       float64 // y coordinate of the captions
}

type series struct {
	Name   string
	Values []int64
}

// bar is one segment of a column.
type bar struct {
	X, Y, Width, Height float64
	Series              int
	Text                string // tooltip
}

type gridLine struct {
	Y     float64
	Label string
}

type caption struct {
	X    float64
	Text string
}

// Lengths are in SVG user units. The drawing scales to the page.
const (
	chartWidth   = 600
	chartHeight  = 220
	marginLeft   = 44
	marginRight  = 8
	marginTop    = 10
	marginBottom = 26
	barShare     = 0.72 // share of the column width
	widestBar    = 56
	ticks        = 4
	mostCaptions = 7
	captionRise  = 6
)

// draw computes the positions of all elements.
func (c *chart) draw() {
	c.Width, c.Height, c.FrameRight, c.Foot = chartWidth, chartHeight, chartWidth-marginRight, chartHeight-captionRise
	sums := make([]int64, len(c.Labels))
	var highest int64
	for i := range sums {
		for _, s := range c.Series {
			sums[i] += s.Values[i]
		}
		c.Total += sums[i]
		highest = max(highest, sums[i])
	}
	step := niceStep(highest)
	top := float64(step * ticks)
	if n := (highest + step - 1) / step; n > 0 {
		top = float64(n * step)
	}
	plotHeight := float64(chartHeight - marginTop - marginBottom)
	at := func(value float64) float64 { return round(marginTop + plotHeight*(1-value/top)) }
	for value := int64(0); float64(value) <= top; value += step {
		c.Lines = append(c.Lines, gridLine{at(float64(value)), strconv.FormatInt(value, 10)})
	}
	column := float64(chartWidth-marginLeft-marginRight) / float64(max(len(c.Labels), 1))
	width := min(column*barShare, widestBar)
	every := int(math.Ceil(float64(len(c.Labels)) / mostCaptions))
	for i, label := range c.Labels {
		middle := marginLeft + column*(float64(i)+0.5)
		if i%every == 0 {
			c.Captions = append(c.Captions, caption{round(middle), label})
		}
		c.stack(i, round(middle-width/2), round(width), at)
	}
}

// stack adds the bars of one column from the bottom up.
func (c *chart) stack(i int, x, width float64, at func(float64) float64) {
	var below int64
	for n, s := range c.Series {
		value := s.Values[i]
		if value == 0 {
			continue
		}
		y := at(float64(below + value))
		text := fmt.Sprintf("%s: %d", c.Labels[i], value)
		if len(c.Series) > 1 {
			text = fmt.Sprintf("%s: %d %s", c.Labels[i], value, s.Name)
		}
		c.Bars = append(c.Bars, bar{X: x, Y: y, Width: width, Height: round(at(float64(below)) - y), Series: n, Text: text})
		below += value
	}
}

// niceStep returns the distance between grid lines: 1, 2 or 5 times a power of ten.
func niceStep(highest int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, times := range []int64{1, 2, 5} {
			if unit*times*ticks >= highest {
				return unit * times
			}
		}
	}
}

func round(length float64) float64 { return math.Round(length*10) / 10 }
