package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/platform/postgres"
)

// modelProviders serves the providers of language models.
type modelProviders struct {
	service *modelprovider.Service
	log     *audit.Log
}

// GetModelProvider implements api.StrictServerInterface.
func (s *modelProviders) GetModelProvider(ctx context.Context, r api.GetModelProviderRequestObject) (api.GetModelProviderResponseObject, error) {
	row, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.Provider)
	if err != nil {
		return nil, err
	}
	return api.GetModelProvider200JSONResponse(representation.ModelProvider(row)), nil
}

// UpdateModelProvider implements api.StrictServerInterface.
func (s *modelProviders) UpdateModelProvider(ctx context.Context, r api.UpdateModelProviderRequestObject) (api.UpdateModelProviderResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateModelProviderResponseObject.VisitUpdateModelProviderResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateModelProviderResponseObject, error) {
		row, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.Provider, fromAPIModelProvider(*r.Body))
		if err != nil {
			return nil, err
		}
		return api.UpdateModelProvider200JSONResponse(representation.ModelProvider(row)), nil
	})
}

// DeleteModelProvider implements api.StrictServerInterface.
func (s *modelProviders) DeleteModelProvider(ctx context.Context, r api.DeleteModelProviderRequestObject) (api.DeleteModelProviderResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteModelProviderResponseObject.VisitDeleteModelProviderResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteModelProviderResponseObject, error) {
		if err := s.service.Delete(ctx, on, middleware.WorkspaceID(ctx), r.Provider); err != nil {
			return nil, err
		}
		return api.DeleteModelProvider204Response{}, nil
	})
}

func fromAPIModelProvider(in api.ModelProviderUpdate) modelprovider.Change {
	change := modelprovider.Change{APIKey: in.APIKey, BaseURL: given(in.BaseURL)}
	if in.Prices != nil {
		change.Prices = map[string]spending.Price{}
		for _, one := range *in.Prices {
			change.Prices[one.Model] = spending.Price{Input: one.InputMicrosPerMillionTokens, Output: one.OutputMicrosPerMillionTokens}
		}
	}
	return change
}

// given returns a function that returns a value which may be null; nil if there is none.
func given[T any](value nullable.Nullable[T]) func() *T {
	if !value.IsSpecified() {
		return nil
	}
	return func() *T { return orNil(value) }
}
