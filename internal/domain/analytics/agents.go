package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// p95 is the quantile of the slow answers.
const p95 = 0.95

// AgentFigures are what agents have done in a span. Times to a reply are in seconds, accurate
// to 2.5%, and nil without answers.
type AgentFigures struct {
	Answered, Refused, HandedOff, Ended, Deflected, CostMicros int64
	MedianAnswer, P95Answer                                    *float64
}

// Replies returns the number of all replies.
func (f AgentFigures) Replies() int64 { return f.Answered + f.Refused + f.HandedOff + f.Ended }

// AgentBucket is a part of a span with the figures of all agents, and of each.
type AgentBucket struct {
	Span

	Total  AgentFigures
	Agents []AgentFigures
}

// Agent is an agent with a name.
type Agent struct {
	ID   uuid.UUID
	Name string
}

// AgentResult has the figures of whole days. Agents are in the order that Whole and the buckets
// list them, busiest first.
type AgentResult struct {
	Agents  []Agent
	Whole   AgentBucket
	Buckets []AgentBucket
}

// Agents returns what agents have done in a span, which is extended to whole days, and in each
// day, week or month of it. It fails with share.ErrBusy if too many requests of the workspace are
// in progress.
func (s *Service) Agents(ctx context.Context, workspaceID uuid.UUID, span Span, width api.AnalyticsGranularity) (AgentResult, error) {
	leave, err := s.Shares.Enter(ctx, workspaceID)
	if err != nil {
		return AgentResult{}, err
	}
	defer leave()
	span = wholeDays(span)
	whole, err := s.agentRows(ctx, workspaceID, span, "span")
	if err != nil {
		return AgentResult{}, err
	}
	rows, err := s.agentRows(ctx, workspaceID, span, string(width))
	if err != nil {
		return AgentResult{}, err
	}
	agents, err := s.nameAgents(ctx, workspaceID, whole, rows)
	if err != nil {
		return AgentResult{}, err
	}
	return AgentResult{Agents: agents, Whole: fillAgents([]Span{span}, whole, agents)[0], Buckets: fillAgents(cut(span, width), rows, agents)}, nil
}

// wholeDays extends a span to whole days, but not beyond the last year of RFC 3339.
func wholeDays(span Span) Span {
	const lastYear = 9999
	span.From = span.From.Truncate(day)
	if end := span.To.Truncate(day); end.Before(span.To) && end.Add(day).Year() <= lastYear {
		span.To = end.Add(day)
	}
	return span
}

func (s *Service) agentRows(ctx context.Context, workspaceID uuid.UUID, span Span, granularity string) ([]db.AnalyticsAgentsRow, error) {
	rows, err := db.New().AnalyticsAgents(ctx, postgres.PlanEachTime(s.DB), db.AnalyticsAgentsParams{
		WorkspaceID: workspaceID, FirstDay: span.From, EndDay: span.To, Granularity: granularity,
	})
	if err != nil {
		return nil, fmt.Errorf("compute figures of agents: %w", err)
	}
	return rows, nil
}

// nameAgents returns the agents of rows, those with the most replies first. The second rows may
// have an agent that the first ones, which were read before, have not.
func (s *Service) nameAgents(ctx context.Context, workspaceID uuid.UUID, all ...[]db.AnalyticsAgentsRow) ([]Agent, error) {
	replies := map[string]int64{}
	for _, rows := range all {
		for _, row := range rows {
			if f := agentFigures(row); !row.IsTotal && f.Replies()+f.Deflected+f.CostMicros > 0 {
				replies[row.AgentKey] = max(replies[row.AgentKey], f.Replies())
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(replies), func(a, b string) int {
		return cmp.Or(cmp.Compare(replies[b], replies[a]), cmp.Compare(a, b))
	})
	groups, err := s.nameGroups(ctx, workspaceID, keys)
	if err != nil {
		return nil, err
	}
	agents := make([]Agent, 0, len(groups))
	for _, group := range groups {
		id, err := uuid.Parse(*group.Key)
		if err != nil {
			return nil, fmt.Errorf("agent of a count: %w", err)
		}
		agents = append(agents, Agent{ID: id, Name: *group.Name})
	}
	return agents, nil
}

// fillAgents distributes rows over buckets, of which those without rows are zero.
func fillAgents(spans []Span, rows []db.AnalyticsAgentsRow, agents []Agent) []AgentBucket {
	buckets := make([]AgentBucket, len(spans))
	for i, span := range spans {
		buckets[i] = AgentBucket{Span: span, Agents: make([]AgentFigures, len(agents))}
	}
	for _, row := range rows {
		at := bucketOf(spans, row.Bucket)
		if row.IsTotal {
			buckets[at].Total = agentFigures(row)
		} else if i := slices.IndexFunc(agents, func(a Agent) bool { return a.ID.String() == row.AgentKey }); i >= 0 {
			buckets[at].Agents[i] = agentFigures(row)
		}
	}
	return buckets
}

func agentFigures(row db.AnalyticsAgentsRow) AgentFigures {
	return AgentFigures{
		Answered: row.Answered, Refused: row.Refused, HandedOff: row.HandedOff, Ended: row.Ended, Deflected: row.Deflected, CostMicros: row.CostMicros,
		MedianAnswer: median(row.LatencyBuckets, row.LatencyCounts), P95Answer: quantile(row.LatencyBuckets, row.LatencyCounts, p95),
	}
}
