package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/platform/postgres"
)

// modelBudget serves the budget of the workspace for language models.
type modelBudget struct {
	service *spending.Service
	log     *audit.Log
}

// GetModelBudget implements api.StrictServerInterface.
func (s *modelBudget) GetModelBudget(ctx context.Context, _ api.GetModelBudgetRequestObject) (api.GetModelBudgetResponseObject, error) {
	found, err := s.service.Get(ctx, s.service.DB, middleware.WorkspaceID(ctx))
	if err != nil {
		return nil, err
	}
	return api.GetModelBudget200JSONResponse(representation.ModelBudget(found)), nil
}

// UpdateModelBudget implements api.StrictServerInterface.
func (s *modelBudget) UpdateModelBudget(ctx context.Context, r api.UpdateModelBudgetRequestObject) (api.UpdateModelBudgetResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateModelBudgetResponseObject.VisitUpdateModelBudgetResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateModelBudgetResponseObject, error) {
		updated, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), spending.Change{
			Currency: r.Body.Currency, Micros: given(r.Body.MonthlyBudgetMicros), WhenExceeded: r.Body.WhenExceeded,
		})
		if err != nil {
			return nil, err
		}
		return api.UpdateModelBudget200JSONResponse(representation.ModelBudget(updated)), nil
	})
}
