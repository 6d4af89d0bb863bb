package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// conversations serves the tag Conversations.
type conversations struct {
	service *conversation.Service
	log     *audit.Log
	links   linker
}

// ListConversations implements api.StrictServerInterface.
func (s *conversations) ListConversations(ctx context.Context, r api.ListConversationsRequestObject) (api.ListConversationsResponseObject, error) {
	filter := conversation.Filter{AgentID: r.Params.AgentID, ChannelID: r.Params.ChannelID, Status: r.Params.Status}
	if r.Params.TagIds != nil {
		filter.TagIDs = *r.Params.TagIds
	}
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), filter, page.Request{Limit: r.Params.Limit, Cursor: r.Params.Cursor})
	if err != nil {
		return nil, err
	}
	return api.ListConversations200JSONResponse{
		Body:    representation.List(rows.Rows, representation.ListedConversation),
		Headers: api.ListConversations200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetConversation implements api.StrictServerInterface.
func (s *conversations) GetConversation(ctx context.Context, r api.GetConversationRequestObject) (api.GetConversationResponseObject, error) {
	detail, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return newTranscriptStream(ctx, detail)
}

// ListConversationMessages implements api.StrictServerInterface.
func (s *conversations) ListConversationMessages(ctx context.Context, r api.ListConversationMessagesRequestObject) (api.ListConversationMessagesResponseObject, error) {
	order := api.MessageOrderAsc
	if r.Params.Order != nil {
		order = *r.Params.Order
	}
	rows, err := s.service.Messages(ctx, middleware.WorkspaceID(ctx), r.ID, order, page.Request{Limit: r.Params.Limit, Cursor: r.Params.Cursor})
	if err != nil {
		return nil, err
	}
	return api.ListConversationMessages200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Message),
		Headers: api.ListConversationMessages200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// SendOperatorMessage implements api.StrictServerInterface.
func (s *conversations) SendOperatorMessage(ctx context.Context, r api.SendOperatorMessageRequestObject) (api.SendOperatorMessageResponseObject, error) {
	return middleware.Once(ctx, s.log, api.SendOperatorMessageResponseObject.VisitSendOperatorMessageResponse, func(ctx context.Context, on postgres.Conn) (api.SendOperatorMessageResponseObject, error) {
		row, err := s.service.Reply(ctx, on, middleware.WorkspaceID(ctx), r.ID, r.Body.Content)
		if err != nil {
			return nil, err
		}
		return api.SendOperatorMessage201JSONResponse{
			Body: representation.Message(row),
			// A message has no URL, so Location is that of its conversation.
			Headers: api.SendOperatorMessage201ResponseHeaders{Location: location("/conversations", r.ID)},
		}, nil
	})
}

// BulkUpdateConversations implements api.StrictServerInterface.
func (s *conversations) BulkUpdateConversations(ctx context.Context, r api.BulkUpdateConversationsRequestObject) (api.BulkUpdateConversationsResponseObject, error) {
	return middleware.Once(ctx, s.log, api.BulkUpdateConversationsResponseObject.VisitBulkUpdateConversationsResponse, func(ctx context.Context, on postgres.Conn) (api.BulkUpdateConversationsResponseObject, error) {
		result, err := s.service.Apply(ctx, on, middleware.WorkspaceID(ctx), fromAPIBulk(*r.Body))
		if err != nil {
			return nil, err
		}
		return api.BulkUpdateConversations200JSONResponse{
			Updated: int32(result.Updated), Skipped: int32(result.Skipped),
		}, nil
	})
}

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

// fromAPIBulk relies on the validation of the request: the properties an action needs are present.
func fromAPIBulk(in api.ConversationBulk) conversation.Bulk {
	bulk := conversation.Bulk{IDs: in.Ids, Action: in.Action, OperatorID: orNil[uuid.UUID](in.OperatorID)}
	if in.TagIds != nil {
		bulk.TagIDs = *in.TagIds
	}
	return bulk
}
