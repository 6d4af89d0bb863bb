package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Operators and tags belong to the tag Conversations.

// ListOperators implements api.StrictServerInterface.
func (s *conversations) ListOperators(ctx context.Context, r api.ListOperatorsRequestObject) (api.ListOperatorsResponseObject, error) {
	rows, err := s.service.Operators(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListOperators200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Operator),
		Headers: api.ListOperators200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetOperator implements api.StrictServerInterface.
func (s *conversations) GetOperator(ctx context.Context, r api.GetOperatorRequestObject) (api.GetOperatorResponseObject, error) {
	row, err := s.service.Operator(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetOperator200JSONResponse(representation.OperatorDetail(row)), nil
}

// CreateOperator implements api.StrictServerInterface.
func (s *conversations) CreateOperator(ctx context.Context, r api.CreateOperatorRequestObject) (api.CreateOperatorResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CreateOperatorResponseObject.VisitCreateOperatorResponse, func(ctx context.Context, on postgres.Conn) (api.CreateOperatorResponseObject, error) {
		row, err := s.service.CreateOperator(ctx, on, middleware.WorkspaceID(ctx), r.Body.Name, r.Body.Email)
		if err != nil {
			return nil, err
		}
		return api.CreateOperator201JSONResponse{
			Body: representation.OperatorDetail(row), Headers: api.CreateOperator201ResponseHeaders{Location: location("/operators", row.Operator.ID)},
		}, nil
	})
}

// UpdateOperator implements api.StrictServerInterface.
func (s *conversations) UpdateOperator(ctx context.Context, r api.UpdateOperatorRequestObject) (api.UpdateOperatorResponseObject, error) {
	change := conversation.OperatorChange{Name: r.Body.Name}
	if r.Body.Email.IsSpecified() {
		change.Email = func() *string { return orNil(r.Body.Email) }
	}
	return middleware.Once(ctx, s.log, api.UpdateOperatorResponseObject.VisitUpdateOperatorResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateOperatorResponseObject, error) {
		row, err := s.service.UpdateOperator(ctx, on, middleware.WorkspaceID(ctx), r.ID, change)
		if err != nil {
			return nil, err
		}
		return api.UpdateOperator200JSONResponse(representation.OperatorDetail(row)), nil
	})
}

// ListTags implements api.StrictServerInterface.
func (s *conversations) ListTags(ctx context.Context, r api.ListTagsRequestObject) (api.ListTagsResponseObject, error) {
	rows, err := s.service.Tags(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListTags200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Tag),
		Headers: api.ListTags200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetTag implements api.StrictServerInterface.
func (s *conversations) GetTag(ctx context.Context, r api.GetTagRequestObject) (api.GetTagResponseObject, error) {
	row, err := s.service.Tag(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetTag200JSONResponse(representation.Tag(row)), nil
}

// CreateTag implements api.StrictServerInterface.
func (s *conversations) CreateTag(ctx context.Context, r api.CreateTagRequestObject) (api.CreateTagResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CreateTagResponseObject.VisitCreateTagResponse, func(ctx context.Context, on postgres.Conn) (api.CreateTagResponseObject, error) {
		row, err := s.service.CreateTag(ctx, on, middleware.WorkspaceID(ctx), r.Body.Name)
		if err != nil {
			return nil, err
		}
		return api.CreateTag201JSONResponse{
			Body: representation.Tag(row), Headers: api.CreateTag201ResponseHeaders{Location: location("/tags", row.ID)},
		}, nil
	})
}
