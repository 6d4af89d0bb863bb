package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// agents serves the tag Agents.
type agents struct {
	service     *agent.Service
	evaluations *evaluator.Service
	log         *audit.Log
	links       linker
}

// ListAgents implements api.StrictServerInterface.
func (s *agents) ListAgents(ctx context.Context, r api.ListAgentsRequestObject) (api.ListAgentsResponseObject, error) {
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListAgents200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Agent),
		Headers: api.ListAgents200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// CreateAgent implements api.StrictServerInterface.
func (s *agents) CreateAgent(ctx context.Context, r api.CreateAgentRequestObject) (api.CreateAgentResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CreateAgentResponseObject.VisitCreateAgentResponse, func(ctx context.Context, on postgres.Conn) (api.CreateAgentResponseObject, error) {
		row, err := s.service.Create(ctx, on, middleware.WorkspaceID(ctx), agent.Settings{
			MonthlyBudget: func() *int64 { return r.Body.MonthlyBudgetMicros },
			Name:          &r.Body.Name, ModelProvider: &r.Body.ModelProvider, ModelName: &r.Body.ModelName,
			SystemPrompt: r.Body.SystemPrompt, Status: r.Body.Status, Temperature: r.Body.Temperature, MaxTokens: r.Body.MaxTokens,
		})
		if err != nil {
			return nil, err
		}
		return api.CreateAgent201JSONResponse{
			Body: representation.AgentDetail(row), Headers: api.CreateAgent201ResponseHeaders{Location: location("/agents", row.ID)},
		}, nil
	})
}

// GetAgent implements api.StrictServerInterface.
func (s *agents) GetAgent(ctx context.Context, r api.GetAgentRequestObject) (api.GetAgentResponseObject, error) {
	row, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetAgent200JSONResponse(representation.AgentDetail(row)), nil
}

// UpdateAgent implements api.StrictServerInterface.
func (s *agents) UpdateAgent(ctx context.Context, r api.UpdateAgentRequestObject) (api.UpdateAgentResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateAgentResponseObject.VisitUpdateAgentResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateAgentResponseObject, error) {
		row, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.ID, agent.Settings{
			MonthlyBudget: given(r.Body.MonthlyBudgetMicros),
			Name:          r.Body.Name, ModelProvider: r.Body.ModelProvider, ModelName: r.Body.ModelName,
			SystemPrompt: r.Body.SystemPrompt, Status: r.Body.Status, Temperature: r.Body.Temperature, MaxTokens: r.Body.MaxTokens,
		})
		if err != nil {
			return nil, err
		}
		return api.UpdateAgent200JSONResponse(representation.AgentDetail(row)), nil
	})
}

// ListAgentRuns implements api.StrictServerInterface.
func (s *agents) ListAgentRuns(ctx context.Context, r api.ListAgentRunsRequestObject) (api.ListAgentRunsResponseObject, error) {
	rows, err := s.service.Runs(ctx, middleware.WorkspaceID(ctx), r.ID, page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListAgentRuns200JSONResponse{
		Body:    representation.List(rows.Rows, representation.AgentRun),
		Headers: api.ListAgentRuns200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// PreviewAgent implements api.StrictServerInterface.
func (s *agents) PreviewAgent(ctx context.Context, r api.PreviewAgentRequestObject) (api.PreviewAgentResponseObject, error) {
	talk := make(dialogue.Dialogue, len(r.Body.Messages))
	for i, one := range r.Body.Messages {
		talk[i] = dialogue.Turn{Visitor: one.Role == api.MessageRoleUSER, Text: one.Content}
	}
	found, err := s.service.Preview(ctx, middleware.WorkspaceID(ctx), r.ID, talk)
	if err != nil {
		return nil, err
	}
	return api.PreviewAgent200JSONResponse(representation.AgentPreview(found)), nil
}

// CheckAgent implements api.StrictServerInterface.
func (s *agents) CheckAgent(ctx context.Context, r api.CheckAgentRequestObject) (api.CheckAgentResponseObject, error) {
	checked, err := s.service.Check(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.CheckAgent200JSONResponse(representation.AgentCheck(checked)), nil
}
