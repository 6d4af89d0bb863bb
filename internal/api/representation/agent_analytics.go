package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/openapi/timestamp"
)

// AgentAnalytics converts what agents have done.
func AgentAnalytics(of analytics.AgentResult) api.AgentAnalytics {
	return api.AgentAnalytics{
		From: timestamp.New(of.Whole.From), To: timestamp.New(of.Whole.To), Figures: agentFigures(of.Whole.Total), Agents: agentGroups(of.Agents, of.Whole.Agents),
		Buckets: List(of.Buckets, func(b analytics.AgentBucket) api.AgentBucket {
			return api.AgentBucket{Start: timestamp.New(b.From), End: timestamp.New(b.To), Figures: agentFigures(b.Total), Agents: agentGroups(of.Agents, b.Agents)}
		}),
	}
}

func agentGroups(agents []analytics.Agent, figures []analytics.AgentFigures) []api.AgentGroup {
	groups := make([]api.AgentGroup, len(agents))
	for i, one := range agents {
		groups[i] = api.AgentGroup{AgentID: one.ID, Name: one.Name, Figures: agentFigures(figures[i])}
	}
	return groups
}

func agentFigures(f analytics.AgentFigures) api.AgentFigures {
	return api.AgentFigures{
		Answered: f.Answered, Refused: f.Refused, HandedOff: f.HandedOff, Ended: f.Ended, Deflected: f.Deflected, CostMicros: f.CostMicros,
		MedianAnswerSeconds: f.MedianAnswer, P95AnswerSeconds: f.P95Answer,
	}
}
