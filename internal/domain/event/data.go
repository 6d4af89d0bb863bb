package event

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
)

// LeadCreated is lead.created.
func LeadCreated(row db.Lead) Event { return lead(api.EventTypeLeadCreated, row, "") }

// LeadUpdated is lead.updated.
func LeadUpdated(row db.Lead) Event { return lead(api.EventTypeLeadUpdated, row, "") }

// LeadStatusChanged is lead.status_changed.
func LeadStatusChanged(row db.Lead, previous api.LeadStatus) Event {
	return lead(api.EventTypeLeadStatusChanged, row, `,"previousStatus":"`+string(previous)+`"`)
}

func lead(kind api.EventType, row db.Lead, more string) Event {
	const extra = 320 // bytes around the stored fields
	data := make([]byte, 0, len(row.Fields)+extra)
	data = append(data, `{"lead":`...)
	data = representation.AppendLead(data, &row)
	data = append(data, more...)
	return Event{Type: kind, Data: append(data, '}')}
}

// Conversation is an event that says no more than which conversation it was:
// conversation.created, handed_off, closed or reopened.
func Conversation(kind api.EventType, row db.Conversation, contact db.Contact) (Event, error) {
	return marshal(kind, map[string]any{"conversation": representation.Conversation(row, contact)})
}

// ConversationAssigned is conversation.assigned; nil stands for nobody.
func ConversationAssigned(row db.Conversation, contact db.Contact, previous *uuid.UUID) (Event, error) {
	return marshal(api.EventTypeConversationAssigned, map[string]any{
		"conversation": representation.Conversation(row, contact), "previousOperatorId": previous,
	})
}

// ConversationTagsChanged is conversation.tags_changed.
func ConversationTagsChanged(row db.Conversation, contact db.Contact, added, removed []db.Tag) (Event, error) {
	return marshal(api.EventTypeConversationTagsChanged, map[string]any{
		"conversation": representation.Conversation(row, contact), "added": tags(added), "removed": tags(removed),
	})
}

func tags(rows []db.Tag) []api.Tag {
	all := make([]api.Tag, len(rows))
	for i, row := range rows {
		all[i] = representation.Tag(row)
	}
	return all
}

// MessageCreated is message.created.
func MessageCreated(row db.Message) (Event, error) {
	return marshal(api.EventTypeMessageCreated, map[string]any{
		"conversationId": row.ConversationID, "message": representation.Message(row),
	})
}

// KnowledgeJobEnded is knowledge.job.completed or knowledge.job.failed.
func KnowledgeJobEnded(job api.KnowledgeJob) (Event, error) {
	kind := api.EventTypeKnowledgeJobCompleted
	if job.Status == api.KnowledgeJobStatusFAILED {
		kind = api.EventTypeKnowledgeJobFailed
	}
	return marshal(kind, map[string]any{"job": job})
}

// WebhookPing is webhook.ping.
func WebhookPing(integrationID uuid.UUID) (Event, error) {
	return marshal(api.EventTypeWebhookPing, map[string]any{"integrationId": integrationID})
}

func marshal(kind api.EventType, data any) (Event, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	return Event{Type: kind, Data: raw}, nil
}
