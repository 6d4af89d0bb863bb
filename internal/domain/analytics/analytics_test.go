package analytics_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/platform/share"
	"github.com/avelto/convo/internal/testing/seed"
)

const day = 24 * time.Hour

func setup(t *testing.T) (*seed.World, *analytics.Service) {
	t.Helper()
	w := seed.New(t)
	return w, &analytics.Service{DB: w.DB, Clock: w.Clock, Shares: &share.Shares{}}
}

func date(year int, month time.Month, dayOfMonth, hour int) time.Time {
	return time.Date(year, month, dayOfMonth, hour, 0, 0, 0, time.UTC)
}

// bounds returns where each bucket of a span begins, and where the last ends.
func bounds(span analytics.Span, width api.AnalyticsGranularity) []time.Time {
	all := []time.Time{span.From}
	for at := span.From.Truncate(day).Add(day); at.Before(span.To); at = at.Add(day) {
		starts := width == api.AnalyticsGranularityDay || width == api.AnalyticsGranularityWeek && at.Weekday() == time.Monday ||
			width == api.AnalyticsGranularityMonth && at.Day() == 1
		if starts {
			all = append(all, at)
		}
	}
	return append(all, span.To)
}

func requireSame(t *testing.T, want, got analytics.Figures, at ...any) {
	t.Helper()
	if want.MedianReply != nil && got.MedianReply != nil {
		// Times are stored in milliseconds, and accurate to 2.5%.
		require.InDelta(t, *want.MedianReply, *got.MedianReply, 0.025**want.MedianReply+0.001, at...)
		want.MedianReply = got.MedianReply
	}
	nonzero := map[api.LeadStatus]int64{}
	for status, count := range got.Leads {
		if count > 0 {
			nonzero[status] = count
		}
	}
	got.Leads = nonzero
	require.Equal(t, want, got, at...)
}

// TestFiguresAgreeWithACountInMemory compares each granularity and grouping with the
// facts, over a span that begins and ends in the middle of its buckets.
func TestFiguresAgreeWithACountInMemory(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	h := newHistory(t, w, w.Ours)
	h.fill(t, 60, analytics.Span{From: date(2025, 12, 20, 0), To: date(2026, 3, 10, 0)})
	newHistory(t, w, w.Theirs).fill(t, 5, analytics.Span{From: date(2026, 1, 1, 0), To: date(2026, 3, 1, 0)})
	span := analytics.Span{From: date(2025, 12, 31, 18), To: date(2026, 3, 4, 7)}
	everything := func(fact) bool { return true }
	groupings := []*api.AnalyticsGroupBy{nil, new(api.AnalyticsGroupByAgent), new(api.AnalyticsGroupByChannel), new(api.AnalyticsGroupByStatus)}
	for _, by := range groupings {
		whole, err := service.Overview(t.Context(), w.Ours, span, by)
		require.NoError(t, err)
		require.Len(t, whole.Buckets, 1)
		requireSame(t, tally(h.facts, span, everything), whole.Buckets[0].Total)
		for _, width := range []api.AnalyticsGranularity{api.AnalyticsGranularityDay, api.AnalyticsGranularityWeek, api.AnalyticsGranularityMonth} {
			series, err := service.Timeseries(t.Context(), w.Ours, span, width, by)
			require.NoError(t, err)
			require.ElementsMatch(t, whole.Groups, series.Groups)
			limits := bounds(span, width)
			require.Len(t, series.Buckets, len(limits)-1)
			for i, bucket := range series.Buckets {
				require.Equal(t, analytics.Span{From: limits[i], To: limits[i+1]}, bucket.Span)
				requireSame(t, tally(h.facts, bucket.Span, everything), bucket.Total, "%s %v", width, bucket.Span)
				for g, group := range series.Groups {
					want := tally(h.facts, bucket.Span, func(f fact) bool { return f.key(*by) == key(group) })
					requireSame(t, want, bucket.Groups[g], "%s %v of %s", width, bucket.Span, key(group))
				}
			}
		}
	}
}

func key(group analytics.Group) string {
	if group.Key == nil {
		return ""
	}
	return *group.Key
}

// TestASpanIncludesItsStartAndExcludesItsEnd places facts a millisecond apart.
func TestASpanIncludesItsStartAndExcludesItsEnd(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	h := newHistory(t, w, w.Ours)
	from, to := date(2026, 4, 1, 0), date(2026, 4, 2, 0)
	for _, at := range []time.Time{from.Add(-time.Millisecond), from, to.Add(-time.Millisecond), to} {
		h.lead(t, analytics.Span{From: at, To: at.Add(time.Millisecond)}, nil, fact{})
	}
	h.facts = nil
	w.Exec(t, "UPDATE leads SET status = 'WON'")
	w.Exec(t, "SELECT rebuild_analytics()")
	result, err := service.Timeseries(t.Context(), w.Ours, analytics.Span{From: from.Add(-day), To: to.Add(day)}, api.AnalyticsGranularityDay, nil)
	require.NoError(t, err)
	var won []int64
	for _, bucket := range result.Buckets {
		won = append(won, bucket.Total.Leads[api.LeadStatusWON])
	}
	require.Equal(t, w.Count(t, "SELECT count(*) FROM leads WHERE created_at >= $1 AND created_at < $2", from, to), int(won[1]))
	whole, err := service.Overview(t.Context(), w.Ours, analytics.Span{From: from, To: to}, nil)
	require.NoError(t, err)
	require.Equal(t, won[1], whole.Buckets[0].Total.LeadsCreated())
	require.InDelta(t, 1.0, whole.Buckets[0].Total.ConversionRate(), 0)
}

func TestBucketsBeginInUTC(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	// Clocks in Warsaw go forward on 29 March 2026: the day has 23 hours there.
	warsaw := time.FixedZone("CEST", 2*60*60)
	from, to := time.Date(2026, 3, 28, 1, 30, 0, 0, warsaw), time.Date(2026, 3, 31, 1, 30, 0, 0, warsaw)
	span, err := service.NewSpan(&from, &to)
	require.NoError(t, err)
	result, err := service.Timeseries(t.Context(), w.Ours, span, api.AnalyticsGranularityDay, nil)
	require.NoError(t, err)
	want := []time.Time{date(2026, 3, 27, 23).Add(30 * time.Minute), date(2026, 3, 28, 0), date(2026, 3, 29, 0), date(2026, 3, 30, 0)}
	require.Len(t, result.Buckets, len(want))
	for i, bucket := range result.Buckets {
		require.Equal(t, want[i], bucket.From)
	}
	require.Equal(t, date(2026, 3, 30, 23).Add(30*time.Minute), result.Buckets[3].To)
}

func TestSpanBounds(t *testing.T) {
	t.Parallel()
	c := seed.Start
	service := &analytics.Service{Clock: fixed(c)}
	at := func(d time.Duration) *time.Time { return new(c.Add(d)) }
	for name, one := range map[string]struct {
		from, to *time.Time
		want     analytics.Span
		reason   string
	}{
		"nothing given":         {nil, nil, analytics.Span{From: c.Add(-30 * day), To: c}, ""},
		"only an end":           {nil, at(-day), analytics.Span{From: c.Add(-31 * day), To: c.Add(-day)}, ""},
		"only a start":          {at(-time.Millisecond), nil, analytics.Span{From: c.Add(-time.Millisecond), To: c}, ""},
		"less than 1 ms is cut": {at(-day + 999*time.Microsecond), at(999 * time.Microsecond), analytics.Span{From: c.Add(-day), To: c}, ""},
		"366 days":              {at(-366 * day), nil, analytics.Span{From: c.Add(-366 * day), To: c}, ""},
		"366 days and 1 ms":     {at(-366*day - time.Millisecond), nil, analytics.Span{}, "must be at most 366 days before query.to"},
		"empty":                 {at(0), nil, analytics.Span{}, "must be before query.to"},
		"empty after the cut":   {at(0), at(time.Microsecond), analytics.Span{}, "must be before query.to"},
		"reversed":              {at(day), nil, analytics.Span{}, "must be before query.to"},
	} {
		got, err := service.NewSpan(one.from, one.to)
		require.Equal(t, one.want, got, name)
		if one.reason == "" {
			require.NoError(t, err, name)
			continue
		}
		var refused *analytics.SpanError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, one.reason, refused.Reason, name)
	}
}

type fixed time.Time

func (f fixed) Now() time.Time { return time.Time(f) }

// TestTheLongestSpanHasABucketPerDay also covers a leap day.
func TestTheLongestSpanHasABucketPerDay(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	from, to := date(2024, 1, 1, 0), date(2025, 1, 1, 0)
	span, err := service.NewSpan(&from, &to)
	require.NoError(t, err)
	for width, want := range map[api.AnalyticsGranularity]int{
		api.AnalyticsGranularityDay: 366, api.AnalyticsGranularityWeek: 53, api.AnalyticsGranularityMonth: 12,
	} {
		result, err := service.Timeseries(t.Context(), w.Ours, span, width, new(api.AnalyticsGroupByStatus))
		require.NoError(t, err)
		require.Len(t, result.Buckets, want, width)
		require.Empty(t, result.Groups)
		for _, bucket := range result.Buckets {
			require.Zero(t, bucket.Total.LeadsCreated())
			require.Zero(t, bucket.Total.ConversionRate(), "no division by zero")
			require.Nil(t, bucket.Total.MedianReply, "no reply is not a reply after 0 seconds")
		}
	}
}

func TestGroupsAreNamedAndBusiestFirst(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	quiet, busy := w.Agent(t, w.Ours, "Quiet"), w.Agent(t, w.Ours, "Busy")
	for _, agent := range []uuid.UUID{busy, quiet, busy} {
		w.Conversation(t, w.Ours, seed.Conversation{Agent: agent, Status: api.ConversationStatusOPEN})
	}
	w.Clock.Advance(time.Second)
	span, err := service.NewSpan(nil, nil)
	require.NoError(t, err)
	result, err := service.Overview(t.Context(), w.Ours, span, new(api.AnalyticsGroupByAgent))
	require.NoError(t, err)
	require.Len(t, result.Groups, 2)
	for i, want := range []struct {
		id   uuid.UUID
		name string
	}{{busy, "Busy"}, {quiet, "Quiet"}} {
		require.Equal(t, want.id.String(), *result.Groups[i].Key)
		require.Equal(t, want.name, *result.Groups[i].Name)
		require.Equal(t, int64(2-i), result.Buckets[0].Groups[i].Opened)
	}
	result, err = service.Overview(t.Context(), w.Ours, span, new(api.AnalyticsGroupByStatus))
	require.NoError(t, err)
	require.Equal(t, "OPEN", *result.Groups[0].Name, "a status is its own name")
}

// TestTotalsAndGroupsAreReadFromOneSnapshot reads figures while conversations are inserted:
// the groups add up to the total of their bucket.
func TestTotalsAndGroupsAreReadFromOneSnapshot(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	agents := []uuid.UUID{w.Agent(t, w.Ours, "One"), w.Agent(t, w.Ours, "Two")}
	channel := w.Channel(t, w.Ours, agents[0], api.ChannelTypeSMS)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for _, agent := range agents {
		writers.Go(func() {
			for ctx.Err() == nil {
				w.Conversation(t, w.Ours, seed.Conversation{Agent: agent, Channel: channel, Status: api.ConversationStatusOPEN})
			}
		})
	}
	span := analytics.Span{From: seed.Start.Add(-day), To: seed.Start.Add(day)}
	var last int64
	for last < 50 {
		result, err := service.Overview(t.Context(), w.Ours, span, new(api.AnalyticsGroupByAgent))
		require.NoError(t, err)
		total := result.Buckets[0].Total.Opened
		var sum int64
		for _, group := range result.Buckets[0].Groups {
			sum += group.Opened
		}
		require.Equal(t, total, sum)
		require.GreaterOrEqual(t, total, last, "what was counted once stays counted")
		last = total
	}
	stop()
	writers.Wait()
}
