package representation

import (
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/openapi/timestamp"
)

// Conversation converts a conversation and the contact it is with.
func Conversation(row db.Conversation, contact db.Contact) api.Conversation {
	return api.Conversation{
		ID: row.ID, AgentID: row.AgentID, ChannelID: row.ChannelID, Status: row.Status,
		Contact:            api.Contact{ID: contact.ID, Name: contact.Name, Email: contact.Email, Phone: contact.Phone},
		AssignedOperatorID: row.AssignedOperatorID, LastMessageAt: timestamp.NewPtr(row.LastMessageAt),
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// ListedConversation converts a conversation of a list.
func ListedConversation(row db.ConversationListRow) api.Conversation {
	return Conversation(row.Conversation, row.Contact)
}

// ConversationDetail converts a conversation with its tags and operator. Its messages are
// empty, because they are read from d.Transcript.
func ConversationDetail(d conversation.Detail) api.ConversationDetail {
	short := Conversation(d.Conversation, d.Contact)
	detail := api.ConversationDetail{
		ID: short.ID, AgentID: short.AgentID, ChannelID: short.ChannelID, Status: short.Status, Contact: short.Contact,
		AssignedOperatorID: short.AssignedOperatorID, LastMessageAt: short.LastMessageAt,
		CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
		Sentiment: d.Conversation.Sentiment, Tags: List(d.Tags, Tag), Messages: []api.Message{},
	}
	if d.Conversation.AssignedOperatorID != nil && d.OperatorName != nil {
		detail.AssignedOperator = &api.Operator{ID: *d.Conversation.AssignedOperatorID, Name: *d.OperatorName}
	}
	return detail
}

// Message converts a message.
func Message(row db.Message) api.Message {
	author := map[api.MessageAuthorType]*uuid.UUID{
		api.MessageAuthorTypeCONTACT: row.ContactID, api.MessageAuthorTypeAGENT: row.AgentID,
		api.MessageAuthorTypeOPERATOR: row.OperatorID,
	}
	return api.Message{
		ID: row.ID, Role: row.Role, Content: row.Content,
		Author:         api.MessageAuthor{Type: row.AuthorType, ID: author[row.AuthorType]},
		DeliveryStatus: row.DeliveryStatus, CreatedAt: timestamp.New(row.CreatedAt),
	}
}

// Operator converts an operator.
func Operator(row db.Operator) api.Operator { return api.Operator{ID: row.ID, Name: row.Name} }

// Tag converts a tag.
func Tag(row db.Tag) api.Tag { return api.Tag{ID: row.ID, Name: row.Name} }
