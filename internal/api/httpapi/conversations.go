package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// conversations serves the tag Conversations.
type conversations struct {
	service  *conversation.Service
	channels *channel.Service
	log      *audit.Log
	blobs    blob.Store
	links    linker
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

// GetConversationMessage implements api.StrictServerInterface.
func (s *conversations) GetConversationMessage(ctx context.Context, r api.GetConversationMessageRequestObject) (api.GetConversationMessageResponseObject, error) {
	message, err := s.service.Message(ctx, middleware.WorkspaceID(ctx), r.ID, r.MessageID)
	if err != nil {
		return nil, err
	}
	return api.GetConversationMessage200JSONResponse(representation.MessageDetail(message)), nil
}

// SendOperatorMessage implements api.StrictServerInterface.
func (s *conversations) SendOperatorMessage(ctx context.Context, r api.SendOperatorMessageRequestObject) (api.SendOperatorMessageResponseObject, error) {
	return middleware.Once(ctx, s.log, api.SendOperatorMessageResponseObject.VisitSendOperatorMessageResponse, func(ctx context.Context, on postgres.Conn) (api.SendOperatorMessageResponseObject, error) {
		row, err := s.service.Reply(ctx, on, middleware.WorkspaceID(ctx), r.ID, conversation.Reply(*r.Body))
		if err != nil {
			return nil, err
		}
		return api.SendOperatorMessage201JSONResponse{
			Body: representation.Message(conversation.Message{Message: row}),
			// A message has no URL, so Location is that of its conversation.
			Headers: api.SendOperatorMessage201ResponseHeaders{Location: location("/conversations", r.ID)},
		}, nil
	})
}

// SendTemplateMessage implements api.StrictServerInterface. The provider is asked for the template
// before the transaction.
func (s *conversations) SendTemplateMessage(ctx context.Context, r api.SendTemplateMessageRequestObject) (api.SendTemplateMessageResponseObject, error) {
	in := conversation.TemplateMessage{Name: r.Body.Name, Language: r.Body.Language}
	if r.Body.Parameters != nil {
		in.Parameters = *r.Body.Parameters
	}
	channelID, err := s.service.TemplateChannel(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	if in.Definition, err = s.channels.Template(ctx, middleware.WorkspaceID(ctx), channelID, in.Name, in.Language); err != nil {
		return nil, err
	}
	return middleware.Once(ctx, s.log, api.SendTemplateMessageResponseObject.VisitSendTemplateMessageResponse, func(ctx context.Context, on postgres.Conn) (api.SendTemplateMessageResponseObject, error) {
		row, err := s.service.SendTemplate(ctx, on, middleware.WorkspaceID(ctx), r.ID, in)
		if err != nil {
			return nil, err
		}
		return api.SendTemplateMessage201JSONResponse{
			Body:    representation.Message(conversation.Message{Message: row}),
			Headers: api.SendTemplateMessage201ResponseHeaders{Location: location("/conversations", r.ID)},
		}, nil
	})
}

// ReportOperatorTyping implements api.StrictServerInterface.
func (s *conversations) ReportOperatorTyping(ctx context.Context, r api.ReportOperatorTypingRequestObject) (api.ReportOperatorTypingResponseObject, error) {
	return api.ReportOperatorTyping204Response{}, s.service.OperatorTyping(ctx, middleware.WorkspaceID(ctx), r.ID, r.Body.On)
}

// CreateConversation implements api.StrictServerInterface.
func (s *conversations) CreateConversation(ctx context.Context, r api.CreateConversationRequestObject) (api.CreateConversationResponseObject, error) {
	start, err := fromAPIConversation(*r.Body)
	if err != nil {
		return nil, err
	}
	return middleware.Once(ctx, s.log, api.CreateConversationResponseObject.VisitCreateConversationResponse, func(ctx context.Context, on postgres.Conn) (api.CreateConversationResponseObject, error) {
		detail, message, err := s.service.Start(ctx, on, middleware.WorkspaceID(ctx), start)
		if err != nil {
			return nil, err
		}
		shown := representation.ConversationDetail(detail)
		shown.Messages = []api.Message{representation.Message(conversation.Message{Message: message})}
		return api.CreateConversation201JSONResponse{
			Body: shown, Headers: api.CreateConversation201ResponseHeaders{Location: location("/conversations", shown.ID)},
		}, nil
	})
}

// HandOffConversation implements api.StrictServerInterface.
func (s *conversations) HandOffConversation(ctx context.Context, r api.HandOffConversationRequestObject) (api.HandOffConversationResponseObject, error) {
	var in conversation.HandOff
	if r.Body != nil {
		in.OperatorID = r.Body.OperatorID
		if r.Body.Reason != nil {
			in.Reason = *r.Body.Reason
		}
	}
	return middleware.Once(ctx, s.log, api.HandOffConversationResponseObject.VisitHandOffConversationResponse, func(ctx context.Context, on postgres.Conn) (api.HandOffConversationResponseObject, error) {
		row, err := s.service.HandOff(ctx, on, middleware.WorkspaceID(ctx), r.ID, in)
		if err != nil {
			return nil, err
		}
		return api.HandOffConversation200JSONResponse(representation.ChangedConversation(row)), nil
	})
}

// ReleaseConversation implements api.StrictServerInterface.
func (s *conversations) ReleaseConversation(ctx context.Context, r api.ReleaseConversationRequestObject) (api.ReleaseConversationResponseObject, error) {
	return middleware.Once(ctx, s.log, api.ReleaseConversationResponseObject.VisitReleaseConversationResponse, func(ctx context.Context, on postgres.Conn) (api.ReleaseConversationResponseObject, error) {
		row, err := s.service.Release(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.ReleaseConversation200JSONResponse(representation.ChangedConversation(row)), nil
	})
}

// CloseConversation implements api.StrictServerInterface.
func (s *conversations) CloseConversation(ctx context.Context, r api.CloseConversationRequestObject) (api.CloseConversationResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CloseConversationResponseObject.VisitCloseConversationResponse, func(ctx context.Context, on postgres.Conn) (api.CloseConversationResponseObject, error) {
		row, err := s.service.Close(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.CloseConversation200JSONResponse(representation.ChangedConversation(row)), nil
	})
}

// ReopenConversation implements api.StrictServerInterface.
func (s *conversations) ReopenConversation(ctx context.Context, r api.ReopenConversationRequestObject) (api.ReopenConversationResponseObject, error) {
	return middleware.Once(ctx, s.log, api.ReopenConversationResponseObject.VisitReopenConversationResponse, func(ctx context.Context, on postgres.Conn) (api.ReopenConversationResponseObject, error) {
		row, err := s.service.Reopen(ctx, on, middleware.WorkspaceID(ctx), r.ID)
		if err != nil {
			return nil, err
		}
		return api.ReopenConversation200JSONResponse(representation.ChangedConversation(row)), nil
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

// fromAPIBulk relies on the validation of the request: the properties an action needs are present.
func fromAPIBulk(in api.ConversationBulk) conversation.Bulk {
	bulk := conversation.Bulk{IDs: in.Ids, Action: in.Action, OperatorID: orNil[uuid.UUID](in.OperatorID)}
	if in.TagIds != nil {
		bulk.TagIDs = *in.TagIds
	}
	return bulk
}

// fromAPIConversation checks that exactly one recipient is named.
func fromAPIConversation(in api.ConversationCreate) (conversation.Start, error) {
	start := conversation.Start{ChannelID: in.ChannelID, ContactID: in.ContactID, Content: in.Content}
	if in.Subject != nil {
		start.Subject = *in.Subject
	}
	if in.To != nil {
		start.To = *in.To
	}
	switch {
	case in.To == nil && in.ContactID == nil:
		return start, problem.Invalid(api.FieldError{Location: "body.to", Message: "is required unless contactId is sent"})
	case in.To != nil && in.ContactID != nil:
		return start, problem.Invalid(api.FieldError{Location: "body.to", Message: "must not be sent together with contactId"})
	}
	return start, nil
}
