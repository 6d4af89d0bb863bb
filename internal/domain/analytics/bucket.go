package analytics

import (
	"cmp"
	"slices"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

const daysOfWeek = 7

// cut divides a span at the start of each day, week (Monday) or month.
func cut(span Span, width api.AnalyticsGranularity) []Span {
	var spans []Span
	for at := span.From; at.Before(span.To); {
		next := nextStart(at, width)
		if next.After(span.To) {
			next = span.To
		}
		spans = append(spans, Span{From: at, To: next})
		at = next
	}
	return spans
}

// start returns the start of the day, week or month that contains a time, like
// PostgreSQL's date_trunc.
func start(at time.Time, width api.AnalyticsGranularity) time.Time {
	year, month, dayOfMonth := at.Date()
	switch width {
	case api.AnalyticsGranularityMonth:
		dayOfMonth = 1
	case api.AnalyticsGranularityWeek:
		dayOfMonth -= (int(at.Weekday()) + daysOfWeek - int(time.Monday)) % daysOfWeek
	case api.AnalyticsGranularityDay:
	}
	return time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
}

func nextStart(at time.Time, width api.AnalyticsGranularity) time.Time {
	begin := start(at, width)
	switch width {
	case api.AnalyticsGranularityMonth:
		return begin.AddDate(0, 1, 0)
	case api.AnalyticsGranularityWeek:
		return begin.AddDate(0, 0, daysOfWeek)
	case api.AnalyticsGranularityDay:
	}
	return begin.AddDate(0, 0, 1)
}

// fill distributes rows over buckets; buckets without rows are zero. The first row's bucket
// may start before the first span, which is cut.
func fill(spans []Span, rows []db.AnalyticsFiguresRow, keys []string) []Bucket {
	buckets := make([]Bucket, len(spans))
	for i, span := range spans {
		buckets[i] = Bucket{Span: span, Groups: make([]Figures, len(keys))}
	}
	for _, row := range rows {
		i := bucketOf(spans, row.Bucket)
		if row.IsTotal {
			buckets[i].Total = figures(row)
		} else if group := slices.Index(keys, row.GroupKey); group >= 0 {
			buckets[i].Groups[group] = figures(row)
		}
	}
	return buckets
}

// bucketOf returns the position of the span that begins at a time. Only the first bucket may begin
// before its span.
func bucketOf(spans []Span, at time.Time) int {
	i, exact := slices.BinarySearchFunc(spans, at, func(s Span, at time.Time) int { return s.From.Compare(at) })
	if !exact && i > 0 {
		i--
	}
	return i
}

func figures(row db.AnalyticsFiguresRow) Figures {
	return Figures{
		Opened: row.Opened, Closed: row.Closed, HandedOff: row.HandedOff,
		Leads: map[api.LeadStatus]int64{
			api.LeadStatusNEW: row.LeadsNew, api.LeadStatusQUALIFIED: row.LeadsQualified,
			api.LeadStatusCONTACTED: row.LeadsContacted, api.LeadStatusWON: row.LeadsWon, api.LeadStatusLOST: row.LeadsLost,
		},
		MedianReply: median(row.ReplyBuckets, row.ReplyCounts),
	}
}

// groupKeys returns the keys of the rows with figures, those with the highest first.
// Counts that were subtracted again can leave rows of zeros.
func groupKeys(rows []db.AnalyticsFiguresRow) []string {
	weight := map[string]int64{}
	var keys []string
	for _, row := range rows {
		of := figures(row)
		sum := of.Opened + of.Closed + of.HandedOff + of.LeadsCreated()
		if row.IsTotal || sum == 0 && of.MedianReply == nil {
			continue
		}
		if _, known := weight[row.GroupKey]; !known {
			keys = append(keys, row.GroupKey)
		}
		weight[row.GroupKey] += sum
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(a, b))
	})
	return keys
}
