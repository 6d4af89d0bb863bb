package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/openapi/timestamp"
)

// Contact converts a contact for the conversations with it.
func Contact(row db.Contact) api.Contact {
	return api.Contact{ID: row.ID, Name: row.Name, Email: row.Email, Phone: row.Phone}
}

// ContactProfile converts a contact.
func ContactProfile(row db.Contact) api.ContactProfile {
	return api.ContactProfile{
		ID: row.ID, Name: row.Name, Email: row.Email, Phone: row.Phone,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// ContactDetail converts a contact, and how channels know it.
func ContactDetail(in contact.Detail) api.ContactDetail {
	short := ContactProfile(in.Contact)
	return api.ContactDetail{
		ID: short.ID, Name: short.Name, Email: short.Email, Phone: short.Phone, CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
		Identities: List(in.Identities, ContactIdentity),
	}
}

// ContactIdentity converts how a channel knows a contact.
func ContactIdentity(row db.ContactIdentity) api.ContactIdentity {
	return api.ContactIdentity{
		ChannelID: row.ChannelID, ExternalID: row.ExternalID, Name: row.Name, Verified: row.Verified,
		BlockedAt: timestamp.NewPtr(row.BlockedAt), CreatedAt: timestamp.New(row.CreatedAt), LastSeenAt: timestamp.New(row.LastSeenAt),
	}
}

// ExportedConversation converts a conversation of an export. It leaves the messages empty.
func ExportedConversation(row db.Conversation, contact db.Contact) api.ExportedConversation {
	short := Conversation(row, contact)
	return api.ExportedConversation{
		ID: short.ID, AgentID: short.AgentID, ChannelID: short.ChannelID, Status: short.Status, Contact: short.Contact,
		AssignedOperatorID: short.AssignedOperatorID, LastMessageAt: short.LastMessageAt, CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
		Subject: row.Subject, Summary: row.Summary, Messages: []api.Message{},
	}
}
