package conversation

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// HandOff is how to hand a conversation off. It is assigned to the operator if there is
// one. Reason is empty if none is given.
type HandOff struct {
	OperatorID *uuid.UUID
	Reason     string
}

// HandOff hands a conversation off to operators. One that is handed off already can be
// assigned to another operator. It fails with postgres.ErrNotFound, ErrClosed or
// *UnknownOperatorError.
func (s *Service) HandOff(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID, in HandOff) (db.ConversationGetRow, error) {
	return s.change(ctx, on, workspaceID, conversationID, func(ctx context.Context, tx postgres.Tx, row db.Conversation) ([]describe, error) {
		if isClosed(row) {
			return nil, ErrClosed
		}
		if err := summarize(ctx, tx, row); err != nil {
			return nil, err
		}
		moved, err := s.move(ctx, tx, []db.Conversation{row}, handingOff(in.Reason))
		if err != nil || in.OperatorID == nil {
			return moved.all(), err
		}
		assigned, err := s.assign(ctx, tx, workspaceID, []db.Conversation{row}, in.OperatorID)
		return append(moved.all(), assigned.all()...), err
	})
}

// Release gives a conversation that was handed off back to its agent. It fails with
// postgres.ErrNotFound or ErrClosed.
func (s *Service) Release(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID) (db.ConversationGetRow, error) {
	return s.change(ctx, on, workspaceID, conversationID, func(ctx context.Context, tx postgres.Tx, row db.Conversation) ([]describe, error) {
		if isClosed(row) {
			return nil, ErrClosed
		}
		moved, err := s.move(ctx, tx, []db.Conversation{row}, releasing)
		return moved.all(), err
	})
}

// Close closes a conversation. It fails with postgres.ErrNotFound.
func (s *Service) Close(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID) (db.ConversationGetRow, error) {
	return s.change(ctx, on, workspaceID, conversationID, func(ctx context.Context, tx postgres.Tx, row db.Conversation) ([]describe, error) {
		if !isClosed(row) {
			if err := summarize(ctx, tx, row); err != nil {
				return nil, err
			}
		}
		moved, err := s.move(ctx, tx, []db.Conversation{row}, closing)
		return moved.all(), err
	})
}

// Reopen opens a closed conversation. It fails with postgres.ErrNotFound.
func (s *Service) Reopen(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID) (db.ConversationGetRow, error) {
	return s.change(ctx, on, workspaceID, conversationID, func(ctx context.Context, tx postgres.Tx, row db.Conversation) ([]describe, error) {
		moved, err := s.move(ctx, tx, []db.Conversation{row}, reopening)
		return moved.all(), err
	})
}

// change runs fn on a locked conversation, records the events that fn returns, and returns
// the conversation as it is then.
func (s *Service) change(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID,
	fn func(ctx context.Context, tx postgres.Tx, row db.Conversation) ([]describe, error),
) (after db.ConversationGetRow, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		q := db.New()
		row, err := q.ConversationLock(ctx, tx, db.ConversationLockParams{WorkspaceID: workspaceID, ID: conversationID})
		if err := postgres.Found("lock conversation", err); err != nil {
			return err
		}
		described, err := fn(ctx, tx, row)
		if err != nil {
			return err
		}
		if after, err = q.ConversationGet(ctx, tx, db.ConversationGetParams{WorkspaceID: workspaceID, ID: conversationID}); err != nil {
			return fmt.Errorf("get conversation: %w", err)
		}
		payloads := make([]event.Payload, len(described))
		for i, describe := range described {
			payloads[i] = describe(after.Conversation, after.Contact)
		}
		return s.Events.Record(ctx, tx, workspaceID, s.Clock.Now(), payloads...)
	})
	return after, err
}

// describe makes the event of one changed conversation.
type describe func(row db.Conversation, contact db.Contact) event.Payload

// changes are the conversations that changed, each with what makes its event.
type changes map[uuid.UUID]describe

func (c changes) all() []describe { return slices.Collect(maps.Values(c)) }

// events describes the changes, of conversations as they are after them.
func (c changes) events(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID) ([]event.Payload, error) {
	if len(c) == 0 {
		return nil, nil
	}
	rows, err := db.New().ConversationListByIDs(ctx, tx, db.ConversationListByIDsParams{WorkspaceID: workspaceID, IDs: slices.Collect(maps.Keys(c))})
	if err != nil {
		return nil, fmt.Errorf("read changed conversations: %w", err)
	}
	events := make([]event.Payload, len(rows))
	for i, row := range rows {
		events[i] = c[row.Conversation.ID](row.Conversation, row.Contact)
	}
	return events, nil
}

// transition is a change of status of the conversations for which from returns true.
type transition struct {
	to       api.ConversationStatus
	from     func(db.Conversation) bool
	describe describe
}

var (
	closing = transition{
		to: api.ConversationStatusCLOSED, from: func(row db.Conversation) bool { return !isClosed(row) }, describe: changedAs(api.EventTypeConversationClosed),
	}
	reopening = transition{to: api.ConversationStatusOPEN, from: isClosed, describe: changedAs(api.EventTypeConversationReopened)}
	releasing = transition{
		to: api.ConversationStatusOPEN, from: func(row db.Conversation) bool { return row.Status == api.ConversationStatusHANDEDOFF },
		describe: changedAs(api.EventTypeConversationReleased),
	}
)

func isOpen(row db.Conversation) bool { return row.Status == api.ConversationStatusOPEN }

func isClosed(row db.Conversation) bool { return row.Status == api.ConversationStatusCLOSED }

func changedAs(kind api.EventType) describe {
	return func(row db.Conversation, contact db.Contact) event.Payload {
		return event.ConversationChanged{Type: kind, Conversation: row, Contact: contact}
	}
}

// move brings the rows that can to a status, and records each move. The rows are locked.
func (s *Service) move(ctx context.Context, tx postgres.Tx, rows []db.Conversation, to transition) (changes, error) {
	var ids []uuid.UUID
	var from []string
	changed := changes{}
	for _, row := range rows {
		if to.from(row) {
			ids, from = append(ids, row.ID), append(from, string(row.Status))
			changed[row.ID] = to.describe
		}
	}
	if len(ids) == 0 {
		return changed, nil
	}
	workspaceID, now, q := rows[0].WorkspaceID, s.Clock.Now(), db.New()
	if err := count(ctx, tx, workspaceID, ids, -1); err != nil {
		return nil, err
	}
	err := q.ConversationSetStatusMany(ctx, tx, db.ConversationSetStatusManyParams{WorkspaceID: workspaceID, IDs: ids, Status: to.to, UpdatedAt: now})
	if err != nil {
		return nil, fmt.Errorf("set status: %w", err)
	}
	err = q.ConversationStatusChangeRecordMany(ctx, tx, db.ConversationStatusChangeRecordManyParams{
		WorkspaceID: workspaceID, ConversationIDs: ids, FromStatuses: from, ToStatus: to.to, ChangedAt: now,
	})
	if err != nil {
		return nil, fmt.Errorf("record status change: %w", err)
	}
	s.Changed(tx, ids...)
	return changed, count(ctx, tx, workspaceID, ids, 1)
}

// count adds n times the facts of conversations to analytics. A change of conversations
// subtracts their facts before and adds them after.
func count(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID, ids []uuid.UUID, n int64) error {
	err := db.New().AnalyticsCountConversations(ctx, tx, db.AnalyticsCountConversationsParams{WorkspaceID: workspaceID, ConversationIDs: ids, N: n})
	if err != nil {
		return fmt.Errorf("count conversations: %w", err)
	}
	return nil
}

// assign assigns the rows to an operator, or unassigns them. The rows are locked.
func (s *Service) assign(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID, rows []db.Conversation, operator *uuid.UUID) (changes, error) {
	q := db.New()
	if operator != nil {
		exists, err := q.OperatorExists(ctx, tx, db.OperatorExistsParams{WorkspaceID: workspaceID, ID: *operator})
		if err != nil {
			return nil, fmt.Errorf("look up operator: %w", err)
		}
		if !exists {
			return nil, &UnknownOperatorError{ID: *operator}
		}
	}
	changed := changes{}
	for _, row := range rows {
		previous := row.AssignedOperatorID
		if same := previous == operator || previous != nil && operator != nil && *previous == *operator; same {
			continue
		}
		changed[row.ID] = func(row db.Conversation, contact db.Contact) event.Payload {
			return event.ConversationAssigned{Conversation: row, Contact: contact, Previous: previous}
		}
	}
	ids := slices.Collect(maps.Keys(changed))
	s.Changed(tx, ids...)
	err := q.ConversationAssignMany(ctx, tx, db.ConversationAssignManyParams{
		WorkspaceID: workspaceID, IDs: ids, OperatorID: operator, UpdatedAt: s.Clock.Now(),
	})
	if err != nil {
		return nil, fmt.Errorf("assign: %w", err)
	}
	return changed, nil
}
