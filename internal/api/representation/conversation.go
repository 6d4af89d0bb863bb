// Package representation shows rows as the API does: the same in answers and in
// events.
package representation

import (
	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// Conversation shows a conversation and whom it is with.
func Conversation(row db.Conversation, contact db.Contact) api.Conversation {
	return api.Conversation{
		ID: row.ID, AgentID: row.AgentID, ChannelID: row.ChannelID, Status: row.Status,
		Contact:            api.Contact{ID: contact.ID, Name: contact.Name, Email: contact.Email, Phone: contact.Phone},
		AssignedOperatorID: row.AssignedOperatorID, LastMessageAt: timestamp.NewPtr(row.LastMessageAt),
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// Message shows a message.
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

// Tag shows a tag.
func Tag(row db.Tag) api.Tag { return api.Tag{ID: row.ID, Name: row.Name} }
