package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Jobs puts work into the queue within a transaction. A river.Client does.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// SendMessage is the job that delivers a message through its conversation's
// channel.
type SendMessage struct {
	WorkspaceID uuid.UUID `json:"workspaceId"`
	MessageID   uuid.UUID `json:"messageId"`
}

// Kind names the job in the queue.
func (SendMessage) Kind() string { return "message_send" }

// Reply stores an operator's message, signed by the assigned operator if there is
// one, together with the job that delivers it. It fails with
// postgres.ErrNotFound, ErrNotHandedOff or ErrClosed, and then stores nothing.
func (s *Service) Reply(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID, content string) (message db.Message, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		q := db.New()
		row, err := q.ConversationLock(ctx, tx, db.ConversationLockParams{WorkspaceID: workspaceID, ID: conversationID})
		if err := postgres.Found("lock conversation", err); err != nil {
			return err
		}
		if err := takesReply(row.Status); err != nil {
			return err
		}
		messageID, now := s.IDs.New()
		message, err = q.MessageCreateByOperator(ctx, tx, db.MessageCreateByOperatorParams{
			WorkspaceID: workspaceID, ID: messageID, ConversationID: conversationID,
			Content: content, OperatorID: row.AssignedOperatorID, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("store message: %w", err)
		}
		err = q.ConversationRecordOperatorMessage(ctx, tx, db.ConversationRecordOperatorMessageParams{
			WorkspaceID: workspaceID, ID: conversationID, SentAt: &now,
		})
		if err != nil {
			return fmt.Errorf("record message in conversation: %w", err)
		}
		if row.FirstOperatorReplyAt == nil {
			err = q.AnalyticsCountReply(ctx, tx, db.AnalyticsCountReplyParams{WorkspaceID: workspaceID, ConversationID: conversationID})
			if err != nil {
				return fmt.Errorf("count reply: %w", err)
			}
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, SendMessage{WorkspaceID: workspaceID, MessageID: messageID}, nil); err != nil {
			return fmt.Errorf("queue message: %w", err)
		}
		return s.Events.Record(ctx, tx, workspaceID, now, event.MessageCreated{Message: message})
	})
	return message, err
}

func takesReply(status api.ConversationStatus) error {
	switch status {
	case api.ConversationStatusHANDEDOFF:
		return nil
	case api.ConversationStatusCLOSED:
		return ErrClosed
	case api.ConversationStatusOPEN:
	}
	return ErrNotHandedOff
}
