package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// PublishAgent implements api.StrictServerInterface.
func (s *agents) PublishAgent(ctx context.Context, r api.PublishAgentRequestObject) (api.PublishAgentResponseObject, error) {
	return middleware.Once(ctx, s.log, api.PublishAgentResponseObject.VisitPublishAgentResponse, func(ctx context.Context, on postgres.Conn) (api.PublishAgentResponseObject, error) {
		row, err := s.service.Publish(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.PublishAgent200JSONResponse(representation.AgentDetail(row)), nil
	})
}

// RollBackAgent implements api.StrictServerInterface.
func (s *agents) RollBackAgent(ctx context.Context, r api.RollBackAgentRequestObject) (api.RollBackAgentResponseObject, error) {
	return middleware.Once(ctx, s.log, api.RollBackAgentResponseObject.VisitRollBackAgentResponse, func(ctx context.Context, on postgres.Conn) (api.RollBackAgentResponseObject, error) {
		withdraw := r.Body.Withdraw != nil && *r.Body.Withdraw
		row, err := s.service.RollBack(ctx, on, middleware.WorkspaceID(ctx), r.ID, r.Body.Version, withdraw)
		if err != nil {
			return nil, err
		}
		return api.RollBackAgent200JSONResponse(representation.AgentDetail(row)), nil
	})
}

// ListAgentVersions implements api.StrictServerInterface.
func (s *agents) ListAgentVersions(ctx context.Context, r api.ListAgentVersionsRequestObject) (api.ListAgentVersionsResponseObject, error) {
	rows, err := s.service.Versions(ctx, middleware.WorkspaceID(ctx), r.ID, page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListAgentVersions200JSONResponse{
		Body:    representation.List(rows.Rows, representation.AgentVersion),
		Headers: api.ListAgentVersions200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetAgentVersion implements api.StrictServerInterface.
func (s *agents) GetAgentVersion(ctx context.Context, r api.GetAgentVersionRequestObject) (api.GetAgentVersionResponseObject, error) {
	row, err := s.service.Version(ctx, middleware.WorkspaceID(ctx), r.ID, r.Version)
	if err != nil {
		return nil, err
	}
	return api.GetAgentVersion200JSONResponse(representation.AgentVersionDetail(row)), nil
}
