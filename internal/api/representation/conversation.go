package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/openapi/timestamp"
)

// Conversation converts a conversation and the contact it is with.
func Conversation(row db.Conversation, contact db.Contact) api.Conversation {
	return api.Conversation{
		ID: row.ID, AgentID: row.AgentID, ChannelID: row.ChannelID, Status: row.Status,
		Contact:            Contact(contact),
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
		Subject: d.Conversation.Subject, Summary: d.Conversation.Summary, ReplyPolicy: ReplyPolicy(d.Policy),
		AgentVersion: d.Conversation.AgentVersion,
	}
	if d.Conversation.AssignedOperatorID != nil && d.OperatorName != nil {
		detail.AssignedOperator = &api.Operator{ID: *d.Conversation.AssignedOperatorID, Name: *d.OperatorName}
	}
	return detail
}

// ReplyPolicy converts what a channel allows.
func ReplyPolicy(p conversation.Policy) api.ReplyPolicy {
	shown := api.ReplyPolicy{Open: p.Open, Until: timestamp.NewPtr(p.Until), MaxLength: int32(p.MaxLength), TemplateRequired: p.TemplateRequired}
	if !p.Open {
		shown.Reason = &p.Reason
	}
	return shown
}

// Operator converts an operator.
func Operator(row db.Operator) api.Operator { return api.Operator{ID: row.ID, Name: row.Name} }

// OperatorDetail converts an operator with the console user it is linked to.
func OperatorDetail(row db.OperatorGetRow) api.OperatorDetail {
	return api.OperatorDetail{ID: row.Operator.ID, Name: row.Operator.Name, Email: row.Email, CreatedAt: timestamp.New(row.Operator.CreatedAt)}
}

// ChangedConversation converts a conversation after a change.
func ChangedConversation(row db.ConversationGetRow) api.Conversation {
	return Conversation(row.Conversation, row.Contact)
}

// Tag converts a tag.
func Tag(row db.Tag) api.Tag { return api.Tag{ID: row.ID, Name: row.Name} }
