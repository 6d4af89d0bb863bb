package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/analytics"
)

// ranges holds the selectable ranges, in days.
var ranges = []int{7, 30, 90, 365}

var (
	granularities = []api.AnalyticsGranularity{api.AnalyticsGranularityDay, api.AnalyticsGranularityWeek, api.AnalyticsGranularityMonth}
	groupings     = []api.AnalyticsGroupBy{api.AnalyticsGroupByAgent, api.AnalyticsGroupByChannel, api.AnalyticsGroupByStatus}
)

const (
	defaultRange = 365
	dateLayout   = "2006-01-02"
	// shownGroups is how many groups a chart shows. The rest are summed as "others".
	shownGroups = 7
)

// analyticsForm holds the selected filters.
type analyticsForm struct {
	Days        int // 0 for custom dates
	From, To    string
	Granularity api.AnalyticsGranularity
	GroupBy     string
	Ranges      []int
}

func (c *console) showAnalytics(w http.ResponseWriter, r *http.Request, v visitor) error {
	form, span, err := c.readAnalytics(r.URL.Query())
	if refused, ok := errors.AsType[*problem.Error](err); ok {
		return c.render(w, r, http.StatusBadRequest, "analytics", view{Title: "Analytics", Visitor: v, Fault: refused.Detail, Page: struct {
			Form  analyticsForm
			Empty bool
		}{form, false}})
	} else if err != nil {
		return err
	}
	var by *api.AnalyticsGroupBy
	if form.GroupBy != "" {
		grouping := api.AnalyticsGroupBy(form.GroupBy)
		by = &grouping
	}
	overview, err := c.Analytics.Overview(r.Context(), v.Workspace.ID, span, nil)
	if err != nil {
		return err
	}
	series, err := c.Analytics.Timeseries(r.Context(), v.Workspace.ID, span, form.Granularity, by)
	if err != nil {
		return err
	}
	agents, err := c.Analytics.Agents(r.Context(), v.Workspace.ID, span, form.Granularity)
	if err != nil {
		return err
	}
	total := overview.Buckets[0].Total
	return c.render(w, r, http.StatusOK, "analytics", view{Title: "Analytics", Visitor: v, Page: struct {
		Form   analyticsForm
		Span   analytics.Span
		Total  analytics.Figures
		Agents analytics.AgentFigures
		Charts []chart
		Empty  bool
	}{form, span, total, agents.Whole.Total, append(charts(series, form.Granularity), agentsChart(agents, form.Granularity)), total.Opened+total.Closed+total.HandedOff+total.LeadsCreated()+agents.Whole.Total.Replies() == 0}})
}

// readAnalytics parses the filters. Dates are whole days in UTC.
func (c *console) readAnalytics(query url.Values) (analyticsForm, analytics.Span, error) {
	form := analyticsForm{Days: defaultRange, Granularity: api.AnalyticsGranularityWeek, GroupBy: query.Get("groupBy"), Ranges: ranges}
	if days, err := strconv.Atoi(query.Get("days")); err == nil && slices.Contains(ranges, days) {
		form.Days = days
	}
	if chosen := api.AnalyticsGranularity(query.Get("granularity")); chosen.Valid() {
		form.Granularity = chosen
	}
	if form.GroupBy != "" && !api.AnalyticsGroupBy(form.GroupBy).Valid() {
		form.GroupBy = ""
	}
	end := c.Clock.Now().UTC().Truncate(day).Add(day)
	from := end.Add(-time.Duration(form.Days) * day)
	if query.Get("days") == "0" {
		form.Days = 0
		var err error
		if from, err = time.Parse(dateLayout, query.Get("from")); err != nil {
			return form, analytics.Span{}, problem.Malformed("Select a start date and an end date.")
		}
		last, err := time.Parse(dateLayout, query.Get("to"))
		if err != nil {
			return form, analytics.Span{}, problem.Malformed("Select a start date and an end date.")
		}
		end = last.Add(day)
	}
	form.From, form.To = from.Format(dateLayout), end.Add(-day).Format(dateLayout)
	span, err := c.Analytics.NewSpan(&from, &end)
	if err != nil {
		return form, span, problem.Malformed("The start date must be before the end date, and the range can be at most 366 days.")
	}
	return form, span, nil
}

// charts returns the charts to draw: by group if one is selected, otherwise leads by
// stage.
func charts(result analytics.Result, width api.AnalyticsGranularity) []chart {
	leads := chart{ID: "leads", Title: "Leads created"}
	counts := []struct {
		id, title string
		of        func(analytics.Figures) int64
	}{
		{"opened", "Conversations opened", func(f analytics.Figures) int64 { return f.Opened }},
		{"handed-off", "Conversations handed off", func(f analytics.Figures) int64 { return f.HandedOff }},
		{"closed", "Conversations closed", func(f analytics.Figures) int64 { return f.Closed }},
	}
	labels := make([]string, len(result.Buckets))
	for i, bucket := range result.Buckets {
		labels[i] = bucketLabel(bucket.From, width)
	}
	all := make([]chart, 0, len(counts)+1)
	if len(result.Groups) == 0 {
		for _, stage := range stages {
			leads.Series = append(leads.Series, series{string(stage), over(result, func(b analytics.Bucket) int64 { return b.Total.Leads[stage] })})
		}
		all = append(all, leads)
		for _, count := range counts {
			all = append(all, chart{ID: count.id, Title: count.title, Series: []series{
				{count.title, over(result, func(b analytics.Bucket) int64 { return count.of(b.Total) })},
			}})
		}
	} else {
		leads.Series = byGroup(result, analytics.Figures.LeadsCreated)
		all = append(all, leads)
		for _, count := range counts {
			all = append(all, chart{ID: count.id, Title: count.title, Series: byGroup(result, count.of)})
		}
	}
	for i := range all {
		all[i].Labels = labels
		all[i].draw()
	}
	return all
}

// agentsChart returns the chart of what agents have done.
func agentsChart(result analytics.AgentResult, width api.AnalyticsGranularity) chart {
	drawn := chart{ID: "agents", Title: "Replies of agents", Labels: make([]string, len(result.Buckets))}
	for _, one := range []struct {
		name string
		of   func(analytics.AgentFigures) int64
	}{
		{"answered", func(f analytics.AgentFigures) int64 { return f.Answered }},
		{"no answer", func(f analytics.AgentFigures) int64 { return f.Refused }},
		{"handed off", func(f analytics.AgentFigures) int64 { return f.HandedOff }},
		{"ended", func(f analytics.AgentFigures) int64 { return f.Ended }},
	} {
		values := make([]int64, len(result.Buckets))
		for i, bucket := range result.Buckets {
			values[i] = one.of(bucket.Total)
			drawn.Labels[i] = bucketLabel(bucket.From, width)
		}
		drawn.Series = append(drawn.Series, series{one.name, values})
	}
	drawn.draw()
	return drawn
}

var stages = []api.LeadStatus{
	api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST,
}

func over(result analytics.Result, of func(analytics.Bucket) int64) []int64 {
	values := make([]int64, len(result.Buckets))
	for i, bucket := range result.Buckets {
		values[i] = of(bucket)
	}
	return values
}

// byGroup returns a series for each of the largest groups, and one for all others.
func byGroup(result analytics.Result, of func(analytics.Figures) int64) []series {
	var all []series
	for g, group := range result.Groups {
		values := over(result, func(b analytics.Bucket) int64 { return of(b.Groups[g]) })
		if g >= shownGroups {
			if g == shownGroups {
				all = append(all, series{"others", make([]int64, len(values))})
			}
			for i, value := range values {
				all[shownGroups].Values[i] += value
			}
			continue
		}
		name := "none"
		if group.Name != nil {
			name = *group.Name
		}
		all = append(all, series{name, values})
	}
	return all
}

func bucketLabel(from time.Time, width api.AnalyticsGranularity) string {
	if width == api.AnalyticsGranularityMonth {
		return from.Format("Jan 2006")
	}
	return from.Format("2 Jan")
}
