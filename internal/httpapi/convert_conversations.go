package httpapi

import (
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/conversation"
	"github.com/avelto/convo/internal/timestamp"
)

func toAPIConversation(row db.Conversation, contact db.Contact) api.Conversation {
	return api.Conversation{
		ID: row.ID, AgentID: row.AgentID, ChannelID: row.ChannelID, Status: api.ConversationStatus(row.Status),
		Contact:            api.Contact{ID: contact.ID, Name: contact.Name, Email: contact.Email, Phone: contact.Phone},
		AssignedOperatorID: row.AssignedOperatorID, LastMessageAt: timestamp.NewPtr(row.LastMessageAt),
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

func toAPIConversationDetail(d conversation.Detail) api.ConversationDetail {
	short := toAPIConversation(d.Conversation, d.Contact)
	detail := api.ConversationDetail{
		ID: short.ID, AgentID: short.AgentID, ChannelID: short.ChannelID, Status: short.Status, Contact: short.Contact,
		AssignedOperatorID: short.AssignedOperatorID, LastMessageAt: short.LastMessageAt,
		CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
		Sentiment: (*api.Sentiment)(d.Conversation.Sentiment),
		Tags:      each(d.Tags, toAPITag), Messages: each(d.Messages, toAPIMessage),
	}
	if d.Conversation.AssignedOperatorID != nil && d.OperatorName != nil {
		detail.AssignedOperator = &api.Operator{ID: *d.Conversation.AssignedOperatorID, Name: *d.OperatorName}
	}
	return detail
}

func toAPIMessage(row db.Message) api.Message {
	author := map[api.MessageAuthorType]*uuid.UUID{
		api.MessageAuthorTypeCONTACT: row.ContactID, api.MessageAuthorTypeAGENT: row.AgentID,
		api.MessageAuthorTypeOPERATOR: row.OperatorID,
	}
	kind := api.MessageAuthorType(row.AuthorType)
	return api.Message{
		ID: row.ID, Role: api.MessageRole(row.Role), Content: row.Content,
		Author:         api.MessageAuthor{Type: kind, ID: author[kind]},
		DeliveryStatus: api.DeliveryStatus(row.DeliveryStatus), CreatedAt: timestamp.New(row.CreatedAt),
	}
}

func toAPITag(row db.Tag) api.Tag { return api.Tag{ID: row.ID, Name: row.Name} }
