package conversation

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

// Reply is a message of an operator. ReplyToID is the message of the conversation that it
// replies to, nil if there is none.
type Reply struct {
	Content   string
	ReplyToID *uuid.UUID
}

// Reply stores an operator's message, signed by the assigned operator if there is one, and
// queues it for sending. It fails with postgres.ErrNotFound, ErrNotHandedOff, ErrClosed,
// *ReplyRefusedError, *TooLongError or *UnknownMessageError, and then stores nothing.
func (s *Service) Reply(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID, in Reply) (db.Message, error) {
	return s.write(ctx, on, workspaceID, conversationID, func(ctx context.Context, tx postgres.Tx, row db.ConversationGetRow) (outgoing, error) {
		if err := s.accepts(row, in); err != nil {
			return outgoing{}, err
		}
		return outgoing{Reply: in}, s.checkRepliedTo(ctx, tx, row.Conversation, in)
	})
}

// outgoing is a message of an operator to store. Template is a provider.TemplateMessage as
// JSON, nil for none.
type outgoing struct {
	Reply

	Template []byte
}

// write stores and queues what an operator writes in a conversation, if check allows it.
func (s *Service) write(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID,
	check func(context.Context, postgres.Tx, db.ConversationGetRow) (outgoing, error),
) (message db.Message, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		q := db.New()
		_, err := q.ConversationLock(ctx, tx, db.ConversationLockParams{WorkspaceID: workspaceID, ID: conversationID})
		if err := postgres.Found("lock conversation", err); err != nil {
			return err
		}
		row, err := q.ConversationGet(ctx, tx, db.ConversationGetParams{WorkspaceID: workspaceID, ID: conversationID})
		if err != nil {
			return fmt.Errorf("get conversation: %w", err)
		}
		out, err := check(ctx, tx, row)
		if err != nil {
			return err
		}
		var payload event.Payload
		if message, payload, err = s.send(ctx, tx, row.Conversation, out); err != nil {
			return err
		}
		return s.Events.Record(ctx, tx, workspaceID, message.CreatedAt, payload)
	})
	return message, err
}

// operable reports why operators may not write in a conversation.
func operable(row db.Conversation) error {
	switch row.Status {
	case api.ConversationStatusOPEN:
		return ErrNotHandedOff
	case api.ConversationStatusCLOSED:
		return ErrClosed
	case api.ConversationStatusHANDEDOFF:
	}
	return nil
}

// accepts reports why a conversation accepts no reply, or not this one.
func (s *Service) accepts(row db.ConversationGetRow, in Reply) error {
	if err := operable(row.Conversation); err != nil {
		return err
	}
	policy := s.policy(row)
	if !policy.Open {
		return &ReplyRefusedError{Policy: policy}
	}
	if utf8.RuneCountInString(in.Content) > policy.MaxLength {
		return &TooLongError{MaxLength: policy.MaxLength}
	}
	return nil
}

func (s *Service) checkRepliedTo(ctx context.Context, tx postgres.Tx, row db.Conversation, in Reply) error {
	if in.ReplyToID == nil {
		return nil
	}
	exists, err := db.New().MessageExists(ctx, tx, db.MessageExistsParams{WorkspaceID: row.WorkspaceID, ConversationID: row.ID, ID: *in.ReplyToID})
	if err != nil {
		return fmt.Errorf("look up message: %w", err)
	}
	if !exists {
		return &UnknownMessageError{ID: *in.ReplyToID}
	}
	return nil
}

// send stores an operator's message in a locked conversation, and queues it.
func (s *Service) send(ctx context.Context, tx postgres.Tx, row db.Conversation, in outgoing) (db.Message, event.Payload, error) {
	q := db.New()
	messageID, now := s.IDs.New()
	message, err := q.MessageCreate(ctx, tx, db.MessageCreateParams{
		WorkspaceID: row.WorkspaceID, ID: messageID, ConversationID: row.ID, Role: api.MessageRoleASSISTANT, Content: in.Content,
		AuthorType: api.MessageAuthorTypeOPERATOR, OperatorID: row.AssignedOperatorID, DeliveryStatus: api.DeliveryStatusQUEUED,
		ReplyToID: in.ReplyToID, Revision: row.Revision + 1, CreatedAt: now,
	})
	if err != nil {
		return message, nil, fmt.Errorf("store message: %w", err)
	}
	err = q.ConversationRecordOperatorMessage(ctx, tx, db.ConversationRecordOperatorMessageParams{WorkspaceID: row.WorkspaceID, ID: row.ID, SentAt: &now})
	if err != nil {
		return message, nil, fmt.Errorf("record message in conversation: %w", err)
	}
	if row.FirstOperatorReplyAt == nil {
		err = q.AnalyticsCountReply(ctx, tx, db.AnalyticsCountReplyParams{WorkspaceID: row.WorkspaceID, ConversationID: row.ID})
		if err != nil {
			return message, nil, fmt.Errorf("count reply: %w", err)
		}
	}
	err = q.OutboundEnqueue(ctx, tx, db.OutboundEnqueueParams{
		WorkspaceID: row.WorkspaceID, MessageID: messageID, ConversationID: row.ID, NextAttemptAt: now, Template: in.Template,
	})
	if err != nil {
		return message, nil, fmt.Errorf("queue message: %w", err)
	}
	s.Bell.Ring(tx, wake.Messages)
	s.Changed(tx, row.ID)
	return message, event.MessageCreated{Message: message}, nil
}
