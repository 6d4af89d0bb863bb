package event

import (
	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

// Payload is the data of an event: rows as the change left them. Most types are below;
// others belong to the package whose rows they carry.
type Payload interface {
	EventType() api.EventType
}

// LeadCreated is lead.created.
type LeadCreated struct{ Lead db.Lead }

// LeadUpdated is lead.updated.
type LeadUpdated struct{ Lead db.Lead }

// LeadStatusChanged is lead.status_changed.
type LeadStatusChanged struct {
	Lead     db.Lead
	Previous api.LeadStatus
}

// ConversationChanged is an event whose only data is the conversation:
// conversation.created, handed_off, closed or reopened.
type ConversationChanged struct {
	Type         api.EventType
	Conversation db.Conversation
	Contact      db.Contact
}

// ConversationAssigned is conversation.assigned. Previous is the operator before, nil if
// there was none.
type ConversationAssigned struct {
	Conversation db.Conversation
	Contact      db.Contact
	Previous     *uuid.UUID
}

// ConversationTagsChanged is conversation.tags_changed.
type ConversationTagsChanged struct {
	Conversation   db.Conversation
	Contact        db.Contact
	Added, Removed []db.Tag
}

// MessageCreated is message.created.
type MessageCreated struct{ Message db.Message }

// WebhookPing is webhook.ping.
type WebhookPing struct{ IntegrationID uuid.UUID }

// EventType implements Payload.
func (LeadCreated) EventType() api.EventType { return api.EventTypeLeadCreated }

// EventType implements Payload.
func (LeadUpdated) EventType() api.EventType { return api.EventTypeLeadUpdated }

// EventType implements Payload.
func (LeadStatusChanged) EventType() api.EventType { return api.EventTypeLeadStatusChanged }

// EventType implements Payload.
func (c ConversationChanged) EventType() api.EventType { return c.Type }

// EventType implements Payload.
func (ConversationAssigned) EventType() api.EventType { return api.EventTypeConversationAssigned }

// EventType implements Payload.
func (ConversationTagsChanged) EventType() api.EventType {
	return api.EventTypeConversationTagsChanged
}

// EventType implements Payload.
func (MessageCreated) EventType() api.EventType { return api.EventTypeMessageCreated }

// EventType implements Payload.
func (WebhookPing) EventType() api.EventType { return api.EventTypeWebhookPing }
