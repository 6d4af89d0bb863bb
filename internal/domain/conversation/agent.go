package conversation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// chatDeadline and emailDeadline are how long a contact waits for the agent.
	chatDeadline  = 90 * time.Second
	emailDeadline = 3 * time.Minute
)

// AgentDeadline is how long a contact waits for the agent of a channel of a type, before the
// conversation is handed off.
func AgentDeadline(kind api.ChannelType) time.Duration {
	if kind == api.ChannelTypeEMAIL {
		return emailDeadline
	}
	return chatDeadline
}

// askAgent asks the agent of a locked conversation to reply to a message, unless operators have
// the conversation or a machine wrote the message.
func (r *receiving) askAgent(ctx context.Context, row db.Conversation, messageID uuid.UUID) error {
	if !isOpen(row) || r.in.Automatic {
		return nil
	}
	runID, now := r.IDs.New()
	asked, err := db.New().AgentRunRequest(ctx, r.tx, db.AgentRunRequestParams{
		WorkspaceID: row.WorkspaceID, ID: runID, AgentID: row.AgentID, ConversationID: row.ID, MessageID: messageID,
		DeadlineAt: now.Add(AgentDeadline(r.channel.Type)), CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("ask agent: %w", err)
	}
	if asked > 0 {
		r.Bell.Ring(r.tx, wake.AgentRuns)
	}
	return nil
}

// AgentTurn is what an agent does in a conversation: it says Text, and may then hand the
// conversation off, for a reason, or close it. Summary is empty if it does neither.
type AgentTurn struct {
	Text      string
	Citations []api.Citation
	Sentiment *api.Sentiment
	Summary   string
	HandOff   bool
	Reason    string
	Close     bool
}

// ApplyAgentTurn stores and queues an agent's message in a locked conversation, and moves the
// conversation as the agent has decided. The caller has checked that it is open.
func (s *Service) ApplyAgentTurn(ctx context.Context, tx postgres.Tx, row db.Conversation, turn AgentTurn) (db.Message, error) {
	message, err := s.say(ctx, tx, row, turn)
	if err != nil {
		return message, err
	}
	err = db.New().ConversationDescribe(ctx, tx, db.ConversationDescribeParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Sentiment: turn.Sentiment, Summary: cleanOrNil(turn.Summary, maxContent),
	})
	if err != nil {
		return message, fmt.Errorf("describe conversation: %w", err)
	}
	moved := changes{}
	switch {
	case turn.HandOff:
		moved, err = s.move(ctx, tx, []db.Conversation{row}, handingOff(turn.Reason))
	case turn.Close:
		moved, err = s.move(ctx, tx, []db.Conversation{row}, closing)
	}
	if err != nil {
		return message, err
	}
	payloads, err := moved.events(ctx, tx, row.WorkspaceID)
	if err != nil {
		return message, err
	}
	return message, s.Events.Record(ctx, tx, row.WorkspaceID, message.CreatedAt, append([]event.Payload{event.MessageCreated{Message: message}}, payloads...)...)
}

// handingOff is the transition of a hand-off for a reason.
func handingOff(reason string) transition {
	return transition{to: api.ConversationStatusHANDEDOFF, from: isOpen, describe: func(row db.Conversation, contact db.Contact) event.Payload {
		return event.ConversationHandedOff{Conversation: row, Contact: contact, Reason: reason}
	}}
}

// say stores an agent's message and queues it for sending.
func (s *Service) say(ctx context.Context, tx postgres.Tx, row db.Conversation, turn AgentTurn) (db.Message, error) {
	q := db.New()
	messageID, now := s.IDs.New()
	params := db.MessageCreateParams{
		WorkspaceID: row.WorkspaceID, ID: messageID, ConversationID: row.ID, Role: api.MessageRoleASSISTANT, Content: clean(turn.Text, maxReply),
		AuthorType: api.MessageAuthorTypeAGENT, AgentID: &row.AgentID, DeliveryStatus: api.DeliveryStatusQUEUED, Revision: row.Revision + 1, CreatedAt: now,
	}
	if len(turn.Citations) > 0 {
		var err error
		if params.Citations, err = json.Marshal(turn.Citations); err != nil {
			return db.Message{}, fmt.Errorf("encode citations: %w", err)
		}
	}
	message, err := q.MessageCreate(ctx, tx, params)
	if err != nil {
		return message, fmt.Errorf("store message: %w", err)
	}
	err = q.ConversationRecordAgentMessage(ctx, tx, db.ConversationRecordAgentMessageParams{WorkspaceID: row.WorkspaceID, ID: row.ID, SentAt: &now})
	if err != nil {
		return message, fmt.Errorf("record message in conversation: %w", err)
	}
	err = q.OutboundEnqueue(ctx, tx, db.OutboundEnqueueParams{
		WorkspaceID: row.WorkspaceID, MessageID: messageID, ConversationID: row.ID, NextAttemptAt: now,
	})
	if err != nil {
		return message, fmt.Errorf("queue message: %w", err)
	}
	s.Bell.Ring(tx, wake.Messages)
	s.Changed(tx, row.ID)
	return message, nil
}

// Citations returns the passages that a message cites.
func Citations(row db.Message) (citations []api.Citation, err error) {
	if len(row.Citations) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(row.Citations, &citations); err != nil {
		return nil, fmt.Errorf("stored citations: %w", err)
	}
	return citations, nil
}
