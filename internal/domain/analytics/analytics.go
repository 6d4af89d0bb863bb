// Package analytics computes the figures of a workspace over time. Figures come from
// daily counts that each write keeps up to date.
package analytics

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/share"
)

const (
	maxDays     = 366
	defaultDays = 30
	day         = 24 * time.Hour
)

// Service computes figures. DB should be a pool of its own, so that figures do not delay
// other requests.
type Service struct {
	DB    *postgres.DB
	Clock clock.Clock
	// Shares divides the pool between workspaces, together with everything else that uses it.
	Shares *share.Shares
}

// Figures are the figures of a span. MedianReply is nil if there was no reply; it is
// accurate to 2.5%.
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

// Overview returns the figures of a whole span in a single bucket. It fails with
// share.ErrBusy if too many requests of the workspace are in progress.
func (s *Service) Overview(ctx context.Context, workspaceID uuid.UUID, span Span, by *api.AnalyticsGroupBy) (Result, error) {
	return s.compute(ctx, workspaceID, []Span{span}, "span", by)
}

// Timeseries returns the figures of each day, week or month in the span. The first and the
// last bucket are cut to the span. It fails with share.ErrBusy if too many requests of
// the workspace are in progress.
func (s *Service) Timeseries(ctx context.Context, workspaceID uuid.UUID, span Span, width api.AnalyticsGranularity, by *api.AnalyticsGroupBy) (Result, error) {
	return s.compute(ctx, workspaceID, cut(span, width), string(width), by)
}

func (s *Service) compute(ctx context.Context, workspaceID uuid.UUID, spans []Span, granularity string, by *api.AnalyticsGroupBy) (Result, error) {
	leave, err := s.Shares.Enter(ctx, workspaceID)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	dimension := api.AnalyticsGroupByStatus // has the fewest keys
	if by != nil {
		dimension = *by
	}
	span := Span{From: spans[0].From, To: spans[len(spans)-1].To}
	head, days, tail := span.split()
	rows, err := db.New().AnalyticsFigures(ctx, postgres.PlanEachTime(s.DB), db.AnalyticsFiguresParams{
		WorkspaceID: workspaceID, Granularity: granularity, Dimension: string(dimension), SpanFrom: span.From,
		FirstDay: days.From, EndDay: days.To,
		HeadFrom: head.From, HeadTo: head.To, HeadFirstID: id.Floor(head.From), HeadEndID: id.Floor(head.To),
		TailFrom: tail.From, TailTo: tail.To, TailFirstID: id.Floor(tail.From), TailEndID: id.Floor(tail.To),
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
	var ids []uuid.UUID
	for _, key := range keys {
		if parsed, err := uuid.Parse(key); err == nil {
			ids = append(ids, parsed)
		}
	}
	names := make(map[string]string, len(ids))
	if len(ids) > 0 {
		rows, err := db.New().AnalyticsGroupNames(ctx, s.DB, db.AnalyticsGroupNamesParams{WorkspaceID: workspaceID, IDs: ids})
		if err != nil {
			return nil, fmt.Errorf("name groups: %w", err)
		}
		for _, row := range rows {
			names[row.Key] = row.Name
		}
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
