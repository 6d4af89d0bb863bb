package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// CreateAgentEvaluation implements api.StrictServerInterface.
func (s *agents) CreateAgentEvaluation(ctx context.Context, r api.CreateAgentEvaluationRequestObject) (api.CreateAgentEvaluationResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CreateAgentEvaluationResponseObject.VisitCreateAgentEvaluationResponse, func(ctx context.Context, on postgres.Conn) (api.CreateAgentEvaluationResponseObject, error) {
		row, err := s.evaluations.Create(ctx, on, middleware.WorkspaceID(ctx), r.ID, r.Body.Version, representation.EvaluationSet(*r.Body))
		if err != nil {
			return nil, err
		}
		return api.CreateAgentEvaluation202JSONResponse{
			Body:    representation.AgentEvaluation(row),
			Headers: api.CreateAgentEvaluation202ResponseHeaders{Location: location("/agents/"+row.AgentID.String()+"/evaluations", row.ID)},
		}, nil
	})
}

// ListAgentEvaluations implements api.StrictServerInterface.
func (s *agents) ListAgentEvaluations(ctx context.Context, r api.ListAgentEvaluationsRequestObject) (api.ListAgentEvaluationsResponseObject, error) {
	rows, err := s.evaluations.List(ctx, middleware.WorkspaceID(ctx), r.ID, page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListAgentEvaluations200JSONResponse{
		Body:    representation.List(rows.Rows, representation.AgentEvaluation),
		Headers: api.ListAgentEvaluations200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetAgentEvaluation implements api.StrictServerInterface.
func (s *agents) GetAgentEvaluation(ctx context.Context, r api.GetAgentEvaluationRequestObject) (api.GetAgentEvaluationResponseObject, error) {
	row, results, err := s.evaluations.Get(ctx, middleware.WorkspaceID(ctx), r.ID, r.EvaluationID)
	if err != nil {
		return nil, err
	}
	return api.GetAgentEvaluation200JSONResponse(representation.AgentEvaluationDetail(row, results)), nil
}
