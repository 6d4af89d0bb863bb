package analytics

import (
	"fmt"
	"time"
)

// Span is a range of time in UTC: From is inclusive, To is exclusive.
type Span struct{ From, To time.Time }

// SpanError means that a span is empty or too long. Reason follows the name of the
// parameter: "from must be …".
type SpanError struct{ Reason string }

// Error implements error.
func (e *SpanError) Error() string { return "analytics: from " + e.Reason }

// NewSpan applies the defaults: to is now, from is 30 days before to. It fails with
// *SpanError if the span is empty or longer than 366 days.
func (s *Service) NewSpan(from, to *time.Time) (Span, error) {
	span := Span{To: s.Clock.Now()}
	if to != nil {
		span.To = *to
	}
	span.To = span.To.UTC().Truncate(time.Millisecond)
	span.From = span.To.Add(-defaultDays * day)
	if from != nil {
		span.From = from.UTC().Truncate(time.Millisecond)
	}
	switch length := span.To.Sub(span.From); {
	case length <= 0:
		return Span{}, &SpanError{Reason: "must be before query.to"}
	case length > maxDays*day:
		return Span{}, &SpanError{Reason: fmt.Sprintf("must be at most %d days before query.to", maxDays)}
	}
	return span, nil
}

// split returns the whole days of a span, and the parts of days before and after them. Each
// of the three can be empty.
func (s Span) split() (head, days, tail Span) {
	first, end := s.From.Truncate(day), s.To.Truncate(day)
	if first.Before(s.From) {
		first = first.Add(day)
	}
	if first.After(end) { // within one day
		return s, Span{first, first}, Span{s.To, s.To}
	}
	return Span{s.From, first}, Span{first, end}, Span{end, s.To}
}
