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

// LeadDeleted is lead.deleted.
type LeadDeleted struct{ LeadID uuid.UUID }

// ConversationChanged is an event whose only data is the conversation:
// conversation.created, released, closed or reopened.
type ConversationChanged struct {
	Type         api.EventType
	Conversation db.Conversation
	Contact      db.Contact
}

// ConversationHandedOff is conversation.handed_off. Reason is empty if none was given.
type ConversationHandedOff struct {
	Conversation db.Conversation
	Contact      db.Contact
	Reason       string
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
type MessageCreated struct {
	Message     db.Message
	Attachments []db.Attachment
}

// MessageDeliveryChanged is message.delivery_changed, of a message that was sent.
type MessageDeliveryChanged struct {
	Message  db.Message
	Previous api.DeliveryStatus
}

// ContactCreated is contact.created.
type ContactCreated struct{ Contact db.Contact }

// ContactUpdated is contact.updated.
type ContactUpdated struct{ Contact db.Contact }

// ContactDeleted is contact.deleted.
type ContactDeleted struct{ ContactID uuid.UUID }

// WebhookPing is webhook.ping.
type WebhookPing struct{ IntegrationID uuid.UUID }

// EventType implements Payload.
func (LeadCreated) EventType() api.EventType { return api.EventTypeLeadCreated }

// EventType implements Payload.
func (LeadUpdated) EventType() api.EventType { return api.EventTypeLeadUpdated }

// EventType implements Payload.
func (LeadStatusChanged) EventType() api.EventType { return api.EventTypeLeadStatusChanged }

// EventType implements Payload.
func (LeadDeleted) EventType() api.EventType { return api.EventTypeLeadDeleted }

// EventType implements Payload.
func (ConversationHandedOff) EventType() api.EventType { return api.EventTypeConversationHandedOff }

// EventType implements Payload.
func (MessageDeliveryChanged) EventType() api.EventType { return api.EventTypeMessageDeliveryChanged }

// EventType implements Payload.
func (ContactCreated) EventType() api.EventType { return api.EventTypeContactCreated }

// EventType implements Payload.
func (ContactUpdated) EventType() api.EventType { return api.EventTypeContactUpdated }

// EventType implements Payload.
func (ContactDeleted) EventType() api.EventType { return api.EventTypeContactDeleted }

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
