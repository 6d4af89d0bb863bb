package representation

import (
	"encoding/json"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/openapi/timestamp"
)

// AgentRun converts a run of an agent.
func AgentRun(row db.AgentRun) api.AgentRun {
	shown := api.AgentRun{
		ID: row.ID, AgentID: row.AgentID, AgentVersion: row.AgentVersion, ConversationID: row.ConversationID, MessageID: row.MessageID,
		Status: api.AgentRunStatusQUEUED, Outcome: row.Outcome, Reason: (*api.AgentRunReason)(row.Reason), Steps: row.Steps,
		ModelProvider: row.ModelProvider, ModelName: row.ModelName, InputTokens: row.InputTokens, OutputTokens: row.OutputTokens, CostMicros: row.CostMicros,
		ReplyID: row.ReplyID, CreatedAt: timestamp.New(row.CreatedAt), StartedAt: timestamp.NewPtr(row.StartedAt), FinishedAt: timestamp.NewPtr(row.FinishedAt),
	}
	switch {
	case row.Outcome != nil:
		shown.Status = api.AgentRunStatusFINISHED
	case row.LeasedUntil != nil:
		shown.Status = api.AgentRunStatusRUNNING
	}
	return shown
}

// AgentPreview converts what an agent would reply.
func AgentPreview(r reply.Reply) api.AgentPreview {
	shown := api.AgentPreview{
		Outcome: r.Outcome, Reason: r.Reason, Content: r.Text, Citations: r.Citations, Sentiment: r.Sentiment,
		Steps: int32(r.Steps), InputTokens: int32(r.Usage.InputTokens), OutputTokens: int32(r.Usage.OutputTokens),
	}
	if shown.Citations == nil {
		shown.Citations = []api.Citation{}
	}
	if r.Summary != "" {
		shown.Summary = &r.Summary
	}
	if r.Lead != nil {
		fields, err := json.Marshal(r.Lead.Fields)
		if err != nil {
			panic(err) // unreachable: texts always marshal
		}
		shown.Lead = &api.AgentPreviewLead{Score: int32(r.Lead.Score), ScoreReason: r.Lead.Reason, Fields: fields}
	}
	return shown
}

// AgentCheck converts whether an agent can reply.
func AgentCheck(c agent.Checked) api.AgentCheck {
	shown := api.AgentCheck{Ok: c.Reason == nil, Reason: c.Reason}
	if c.Detail != "" {
		shown.Detail = &c.Detail
	}
	return shown
}
