package httpapi

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/conversation"
)

func toAPIConversationDetail(d conversation.Detail) api.ConversationDetail {
	short := representation.Conversation(d.Conversation, d.Contact)
	detail := api.ConversationDetail{
		ID: short.ID, AgentID: short.AgentID, ChannelID: short.ChannelID, Status: short.Status, Contact: short.Contact,
		AssignedOperatorID: short.AssignedOperatorID, LastMessageAt: short.LastMessageAt,
		CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
		Sentiment: d.Conversation.Sentiment,
		Tags:      each(d.Tags, representation.Tag), Messages: each(d.Messages, representation.Message),
	}
	if d.Conversation.AssignedOperatorID != nil && d.OperatorName != nil {
		detail.AssignedOperator = &api.Operator{ID: *d.Conversation.AssignedOperatorID, Name: *d.OperatorName}
	}
	return detail
}
