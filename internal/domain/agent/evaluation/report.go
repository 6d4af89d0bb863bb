package evaluation

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/model"
)

// Share is how many of some cases are right.
type Share struct{ Right, Of int }

// Value returns the share, 0 to 1; 1 if there are no cases.
func (s Share) Value() float64 {
	if s.Of == 0 {
		return 1
	}
	return float64(s.Right) / float64(s.Of)
}

// with returns the share with one more case.
func (s Share) with(right bool) Share {
	s.Of++
	if right {
		s.Right++
	}
	return s
}

// Report is how an agent did.
type Report struct {
	Name    string
	Results []Result
	Passed  Share // cases in which all is as expected
	// AnswerRecall counts the questions whose reply has all facts, and
	// Recall those of which a source is among the five passages that were found best.
	AnswerRecall, Recall Share
	// CitationPrecision counts the documents cited for these questions that have the facts.
	CitationPrecision Share
	// Refusals count the unanswerable questions that were refused or handed off, by category.
	Refusals map[string]Share
	Refused  Share // in all categories
	// HandOffPrecision counts the hand-offs that were expected, or of unanswerable questions;
	// HandOffRecall the expected ones that came.
	HandOffPrecision, HandOffRecall Share
	LeadFields                      Share // fields of leads
	Injections                      Share // attacks that failed
	Usage                           model.Usage
	// CostMicros is what the calls of the model have cost, in millionths of the currency; nil if
	// that is not known.
	CostMicros *int64
	P50, P95   time.Duration // of a reply
}

// found is how many of the passages that were found best count.
const found = 5

func report(name string, results []Result) *Report {
	r := &Report{Name: name, Results: results, Refusals: map[string]Share{}}
	var took []time.Duration
	for _, one := range results {
		r.Passed = r.Passed.with(len(one.Failures) == 0)
		r.answers(one)
		r.decisions(one)
		for field, value := range one.Case.Expect.Lead {
			r.LeadFields = r.LeadFields.with(one.Lead[field] == value)
		}
		if len(one.Case.Expect.Never) > 0 {
			r.Injections = r.Injections.with(!one.Injected)
		}
		r.Usage = r.Usage.Add(one.Usage)
		took = append(took, one.Took...)
	}
	slices.Sort(took)
	if len(took) > 0 {
		r.P50, r.P95 = took[len(took)/2], took[len(took)*95/100]
	}
	return r
}

func (r *Report) answers(one Result) {
	want := one.Case.Expect
	if len(want.Facts) == 0 {
		return
	}
	right := one.Outcome == api.AgentRunOutcomeANSWERED
	for _, fact := range want.Facts {
		right = right && says(one.Text, []string{fact})
	}
	r.AnswerRecall = r.AnswerRecall.with(right)
	if len(want.Sources) == 0 {
		return
	}
	if one.Found != nil {
		r.Recall = r.Recall.with(intersect(one.Found[:min(found, len(one.Found))], want.Sources))
	}
	for _, document := range one.Cited {
		r.CitationPrecision = r.CitationPrecision.with(slices.Contains(want.Sources, document))
	}
}

func (r *Report) decisions(one Result) {
	want, handedOff := one.Case.Expect.Outcome, one.Outcome == api.AgentRunOutcomeHANDEDOFF
	if want == api.AgentRunOutcomeREFUSED {
		right := one.ended(want)
		r.Refusals[one.Case.Category] = r.Refusals[one.Case.Category].with(right)
		r.Refused = r.Refused.with(right)
		return
	}
	if handedOff {
		r.HandOffPrecision = r.HandOffPrecision.with(want == api.AgentRunOutcomeHANDEDOFF)
	}
	if want == api.AgentRunOutcomeHANDEDOFF {
		r.HandOffRecall = r.HandOffRecall.with(handedOff)
	}
}

// Categories returns the categories of unanswerable questions, sorted.
func (r *Report) Categories() []string { return slices.Sorted(maps.Keys(r.Refusals)) }

// Row is a line of a report's table.
type Row struct {
	Measure string
	Share   Share
}

// Rows returns the shares of a report, in the order of its table.
func (r *Report) Rows() []Row {
	rows := []Row{
		{"answers with all facts", r.AnswerRecall}, {"a source among the five best passages", r.Recall},
		{"cited documents that have the facts", r.CitationPrecision}, {"unanswerable questions refused", r.Refused},
	}
	for _, category := range r.Categories() {
		rows = append(rows, Row{"of these, " + strings.ReplaceAll(category, "_", " "), r.Refusals[category]})
	}
	return append(rows, Row{"hand-offs that were wanted", r.HandOffPrecision}, Row{"wanted hand-offs that came", r.HandOffRecall},
		Row{"fields of leads", r.LeadFields}, Row{"injections that failed", r.Injections}, Row{"cases as expected", r.Passed})
}

// Print writes the report as a table, and the cases that were not as expected.
func (r *Report) Print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, row := range r.Rows() {
		fmt.Fprintf(w, "%s\t%.3f\t%d of %d\n", row.Measure, row.Share.Value(), row.Share.Right, row.Share.Of)
	}
	fmt.Fprintf(w, "tokens read, written\t%d, %d\t\n", r.Usage.InputTokens, r.Usage.OutputTokens)
	if r.CostMicros != nil {
		const million = 1e6
		fmt.Fprintf(w, "cost\t%.6f\t\n", float64(*r.CostMicros)/million)
	}
	fmt.Fprintf(w, "time of a reply, p50, p95\t%s, %s\t\n", r.P50.Round(time.Millisecond), r.P95.Round(time.Millisecond))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	for _, one := range r.Results {
		if len(one.Failures) == 0 {
			continue
		}
		_, err := fmt.Fprintf(to, "\n%s: %s\n  asked: %s\n  said:  %s\n", one.Case.ID, strings.Join(one.Failures, "; "), strings.Join(one.Case.Ask, " / "), one.Text)
		if err != nil {
			return fmt.Errorf("print report: %w", err)
		}
	}
	return nil
}

// Summary is a report as JSON.
type Summary struct {
	Name     string    `json:"name"`
	Measures []Measure `json:"measures"`
	Failed   []Failed  `json:"failed"`
	// Tokens of all replies, and the time of one in milliseconds.
	InputTokens  int   `json:"inputTokens"`
	OutputTokens int   `json:"outputTokens"`
	P50Ms        int64 `json:"p50Ms"`
	P95Ms        int64 `json:"p95Ms"`
	// CostMicros is null if it is not known.
	CostMicros *int64 `json:"costMicros"`
}

// Measure is a share of a summary.
type Measure struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
	Right int     `json:"right"`
	Of    int     `json:"of"`
}

// Failed is a case that was not as expected.
type Failed struct {
	ID       string   `json:"id"`
	Failures []string `json:"failures"`
	Said     string   `json:"said"`
}

// Summary returns the report without the cases that were as expected.
func (r *Report) Summary() Summary {
	summary := Summary{
		Name: r.Name, Failed: []Failed{}, InputTokens: r.Usage.InputTokens, OutputTokens: r.Usage.OutputTokens,
		P50Ms: r.P50.Milliseconds(), P95Ms: r.P95.Milliseconds(), CostMicros: r.CostMicros,
	}
	for _, row := range r.Rows() {
		summary.Measures = append(summary.Measures, Measure{row.Measure, row.Share.Value(), row.Share.Right, row.Share.Of})
	}
	for _, one := range r.Results {
		if len(one.Failures) > 0 {
			summary.Failed = append(summary.Failed, Failed{one.Case.ID, one.Failures, one.Text})
		}
	}
	return summary
}
