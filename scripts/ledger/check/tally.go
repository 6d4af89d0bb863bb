// Package check compares what clients were told with what a system has kept.
package check

import (
	"slices"
	"time"
)

// Tally is the result of a comparison of identifiers.
type Tally struct {
	Acknowledged, Found int
	// Lost were acknowledged and are not found. Invented are found and were neither
	// acknowledged nor of unknown outcome.
	Lost, Invented []string
	// Duplicates counts what was found again; Unexplained are those beyond what was allowed.
	Duplicates  int
	Unexplained []string
}

// OK reports whether nothing is lost, invented or found again without an explanation.
func (t Tally) OK() bool { return len(t.Lost)+len(t.Invented)+len(t.Unexplained) == 0 }

// Sides are the two sides of a comparison.
type Sides struct {
	Acknowledged, Found []string
	// Unknown may or may not be found: changes that were never acknowledged.
	Unknown map[string]bool
	// Again is how often an identifier may be found again.
	Again map[string]int
}

// Compare compares the two sides. The acknowledged identifiers are distinct.
func Compare(sides Sides) Tally {
	t := Tally{Acknowledged: len(sides.Acknowledged), Found: len(sides.Found)}
	counts := map[string]int{}
	for _, one := range sides.Found {
		counts[one]++
	}
	for _, one := range sides.Acknowledged {
		if counts[one] == 0 {
			t.Lost = append(t.Lost, one)
		}
	}
	known := map[string]bool{}
	for _, one := range sides.Acknowledged {
		known[one] = true
	}
	for one, n := range counts {
		if !known[one] && !sides.Unknown[one] {
			t.Invented = append(t.Invented, one)
		}
		t.Duplicates += n - 1
		if n-1 > sides.Again[one] {
			t.Unexplained = append(t.Unexplained, one)
		}
	}
	slices.Sort(t.Lost)
	slices.Sort(t.Invented)
	slices.Sort(t.Unexplained)
	return t
}

// Numbered is an event with its number.
type Numbered struct {
	Sequence int64
	ID       string
}

// Gaps returns the numbers from 1 to the highest at which a feed, in the order in which it
// was read, does not have the event with that number: they are missing, repeated or out of
// order.
func Gaps(feed []Numbered) (gaps []int64) {
	next := int64(1)
	for _, one := range feed {
		switch {
		case one.Sequence == next:
			next++
		case one.Sequence > next:
			for ; next < one.Sequence; next++ {
				gaps = append(gaps, next)
			}
			next++
		default:
			gaps = append(gaps, one.Sequence)
		}
	}
	return gaps
}

// Rewritten returns the numbers that had another event when a client read them during the
// faults than in the end.
func Rewritten(read, final []Numbered) (numbers []int64) {
	ids := map[int64]string{}
	for _, one := range final {
		ids[one.Sequence] = one.ID
	}
	for _, one := range read {
		if ids[one.Sequence] != one.ID {
			numbers = append(numbers, one.Sequence)
		}
	}
	return numbers
}

// LongestGap returns the longest time between successive moments from a start to an end,
// which count as moments. The moments may be in any order.
func LongestGap(start, end time.Time, moments []time.Time) (longest time.Duration) {
	sorted := slices.Clone(moments)
	slices.SortFunc(sorted, time.Time.Compare)
	last := start
	for _, at := range append(sorted, end) {
		if at.Before(last) {
			continue
		}
		if at.After(end) {
			at = end
		}
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest
}
