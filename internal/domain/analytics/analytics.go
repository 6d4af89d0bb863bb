// Package analytics computes the figures of a workspace over time.
package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	maxDays     = 366
	defaultDays = 30
	day         = 24 * time.Hour
	noReply     = -1 // the value of the query if there was no reply
)

// Service computes figures.
type Service struct {
	DB    *postgres.DB
	Clock clock.Clock
}

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

// Figures are the figures of a span. MedianReply is nil if there was no reply.
type Figures struct {
	Opened, Closed, HandedOff int64
	Leads                     map[api.LeadStatus]int64
	MedianReply               *float64 // seconds
}

// LeadsCreated returns the number of leads in all stages.
func (f Figures) LeadsCreated() int64 {
	var sum int64
	for _, count := range f.Leads {
		sum += count
	}
	return sum
}

// ConversionRate returns the share of leads that were won, from 0 to 1.
func (f Figures) ConversionRate() float64 {
	all := f.LeadsCreated()
	if all == 0 {
		return 0
	}
	return float64(f.Leads[api.LeadStatusWON]) / float64(all)
}

// Group is an agent, a channel or a status. Key is nil for the leads that belong to none.
type Group struct{ Key, Name *string }

// Bucket is a part of a span with its figures, in total and by group. Groups has the order
// of Result.Groups, and is empty without a grouping.
type Bucket struct {
	Span

	Total  Figures
	Groups []Figures
}

// Result has the buckets of a span in order, and the groups that each of them lists.
type Result struct {
	Groups  []Group
	Buckets []Bucket
}

// Overview returns the figures of a whole span in a single bucket.
func (s *Service) Overview(ctx context.Context, workspaceID uuid.UUID, span Span, by *api.AnalyticsGroupBy) (Result, error) {
	return s.compute(ctx, workspaceID, []Span{span}, "span", by)
}

// Timeseries returns the figures of each day, week or month in the span. The first and the
// last bucket are cut to the span.
func (s *Service) Timeseries(ctx context.Context, workspaceID uuid.UUID, span Span, width api.AnalyticsGranularity, by *api.AnalyticsGroupBy) (Result, error) {
	return s.compute(ctx, workspaceID, cut(span, width), string(width), by)
}

func (s *Service) compute(ctx context.Context, workspaceID uuid.UUID, spans []Span, granularity string, by *api.AnalyticsGroupBy) (Result, error) {
	grouping := "none"
	if by != nil {
		grouping = string(*by)
	}
	from, to := spans[0].From, spans[len(spans)-1].To
	rows, err := db.New().AnalyticsFigures(ctx, postgres.PlanEachTime(s.DB), db.AnalyticsFiguresParams{
		WorkspaceID: workspaceID, FirstID: id.Floor(from), EndID: id.Floor(to),
		SpanFrom: from, SpanTo: to, Granularity: granularity, GroupBy: grouping,
	})
	if err != nil {
		return Result{}, fmt.Errorf("compute figures: %w", err)
	}
	var keys []string
	if by != nil {
		keys = groupKeys(rows)
	}
	groups, err := s.nameGroups(ctx, workspaceID, keys)
	if err != nil {
		return Result{}, err
	}
	return Result{Groups: groups, Buckets: fill(spans, rows, keys)}, nil
}

func (s *Service) nameGroups(ctx context.Context, workspaceID uuid.UUID, keys []string) ([]Group, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := db.New().AnalyticsGroupNames(ctx, s.DB, db.AnalyticsGroupNamesParams{WorkspaceID: workspaceID, Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("name groups: %w", err)
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		names[row.Key] = row.Name
	}
	groups := make([]Group, len(keys))
	for i, key := range keys {
		if key == "" {
			continue
		}
		name, ok := names[key]
		if !ok {
			name = key // of a status
		}
		groups[i] = Group{Key: &key, Name: &name}
	}
	return groups, nil
}
