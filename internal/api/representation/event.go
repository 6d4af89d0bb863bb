package representation

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/knowledge"
)

// EncodeEvent returns the JSON data of an event, as its schema describes it. It is the
// Encode function of event.Recorder.
func EncodeEvent(payload event.Payload) ([]byte, error) {
	switch p := payload.(type) {
	case event.LeadCreated:
		return leadEvent(&p.Lead, ""), nil
	case event.LeadUpdated:
		return leadEvent(&p.Lead, ""), nil
	case event.LeadStatusChanged:
		return leadEvent(&p.Lead, `,"previousStatus":"`+string(p.Previous)+`"`), nil
	}
	data, err := eventData(payload)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", payload.EventType(), err)
	}
	return raw, nil
}

// leadEvent appends instead of using encoding/json, like responses with leads. more is
// JSON to add after the lead.
func leadEvent(row *db.Lead, more string) []byte {
	const extra = 320 // bytes around the stored fields
	data := make([]byte, 0, len(row.Fields)+extra)
	data = append(data, `{"lead":`...)
	data = AppendLead(data, row)
	data = append(data, more...)
	return append(data, '}')
}

func eventData(payload event.Payload) (any, error) {
	switch p := payload.(type) {
	case event.ConversationChanged:
		return conversationData{Conversation(p.Conversation, p.Contact)}, nil
	case event.ConversationHandedOff:
		return handedOffData{Conversation(p.Conversation, p.Contact), p.Reason, p.Conversation.Summary}, nil
	case event.ConversationAssigned:
		return assignedData{Conversation(p.Conversation, p.Contact), p.Previous}, nil
	case event.ConversationTagsChanged:
		return tagsData{List(p.Added, Tag), Conversation(p.Conversation, p.Contact), List(p.Removed, Tag)}, nil
	case event.MessageCreated:
		return messageData{p.Message.ConversationID, Message(conversation.Message{Message: p.Message, Attachments: p.Attachments})}, nil
	case event.MessageDeliveryChanged:
		return deliveryData{p.Message.ConversationID, Message(conversation.Message{Message: p.Message}), p.Previous}, nil
	case event.LeadDeleted:
		return leadDeletedData{p.LeadID}, nil
	case event.ContactCreated:
		return contactData{ContactProfile(p.Contact)}, nil
	case event.ContactUpdated:
		return contactData{ContactProfile(p.Contact)}, nil
	case event.ContactDeleted:
		return contactDeletedData{p.ContactID}, nil
	case knowledge.JobEnded:
		return jobData{KnowledgeJob(p.Job)}, nil
	case event.WebhookPing:
		return pingData{p.IntegrationID}, nil
	}
	return nil, fmt.Errorf("encode %s: no representation of %T", payload.EventType(), payload)
}

// The properties are in alphabetical order.
type (
	conversationData struct {
		Conversation api.Conversation `json:"conversation"`
	}
	handedOffData struct {
		Conversation api.Conversation `json:"conversation"`
		Reason       string           `json:"reason,omitempty"`
		Summary      *string          `json:"summary,omitempty"`
	}
	assignedData struct {
		Conversation       api.Conversation `json:"conversation"`
		PreviousOperatorID *uuid.UUID       `json:"previousOperatorId"`
	}
	tagsData struct {
		Added        []api.Tag        `json:"added"`
		Conversation api.Conversation `json:"conversation"`
		Removed      []api.Tag        `json:"removed"`
	}
	messageData struct {
		ConversationID uuid.UUID   `json:"conversationId"`
		Message        api.Message `json:"message"`
	}
	deliveryData struct {
		ConversationID uuid.UUID          `json:"conversationId"`
		Message        api.Message        `json:"message"`
		PreviousStatus api.DeliveryStatus `json:"previousStatus"`
	}
	leadDeletedData struct {
		LeadID uuid.UUID `json:"leadId"`
	}
	contactData struct {
		Contact api.ContactProfile `json:"contact"`
	}
	contactDeletedData struct {
		ContactID uuid.UUID `json:"contactId"`
	}
	jobData struct {
		Job api.KnowledgeJob `json:"job"`
	}
	pingData struct {
		IntegrationID uuid.UUID `json:"integrationId"`
	}
)
