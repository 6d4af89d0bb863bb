package conversation

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// changesPage is how many changed messages are read at a time.
const changesPage = 100

// Position is how far someone has read the changes of a conversation: through a message of a
// revision. Revisions follow the order of commits, so nothing that is committed later comes
// before a position.
type Position struct {
	Revision  int64
	MessageID uuid.UUID
}

// PositionAt is after everything of a revision.
func PositionAt(revision int64) Position { return Position{revision, id.Max} }

// String returns the position as text.
func (p Position) String() string {
	return strconv.FormatInt(p.Revision, 10) + ":" + p.MessageID.String()
}

// ParsePosition reads the text of a position, and reports whether it is one.
func ParsePosition(text string) (Position, bool) {
	first, second, _ := strings.Cut(text, ":")
	revision, err := strconv.ParseInt(first, 10, 64)
	messageID, idErr := uuid.Parse(second)
	return Position{revision, messageID}, err == nil && idErr == nil && revision >= 0
}

// Changes are what has changed in a conversation: its messages, and the conversation as it is
// now. More says that there are others after At.
type Changes struct {
	Detail

	Messages []Message
	At       Position
	More     bool
}

// ChangesSince returns what has changed after a position, or postgres.ErrNotFound. Nothing has
// changed if At is that position.
func (s *Service) ChangesSince(ctx context.Context, workspaceID, conversationID uuid.UUID, at Position) (Changes, error) {
	row, err := s.row(ctx, workspaceID, conversationID)
	if err != nil || row.Conversation.Revision <= at.Revision && at.MessageID == id.Max {
		return Changes{At: at}, err
	}
	detail, err := s.Get(ctx, workspaceID, conversationID)
	if err != nil {
		return Changes{}, err
	}
	through := detail.Conversation.Revision
	rows, err := db.New().MessageListChanged(ctx, s.DB, db.MessageListChangedParams{
		WorkspaceID: workspaceID, ConversationID: conversationID, AfterRevision: at.Revision, AfterID: at.MessageID, ThroughRevision: through, RowLimit: changesPage,
	})
	if err != nil {
		return Changes{}, fmt.Errorf("list changed messages: %w", err)
	}
	out := Changes{Detail: detail, At: PositionAt(through), More: len(rows) == changesPage}
	if out.More {
		last := rows[len(rows)-1]
		out.At = Position{last.Revision, last.ID}
	}
	out.Messages, err = withAttachments(ctx, s.DB, workspaceID, rows)
	return out, err
}

// Latest returns the beginnings of the latest messages of conversations.
func (s *Service) Latest(ctx context.Context, workspaceID uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]db.MessageListLatestRow, error) {
	rows, err := db.New().MessageListLatest(ctx, s.DB, db.MessageListLatestParams{WorkspaceID: workspaceID, ConversationIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("list latest messages: %w", err)
	}
	latest := make(map[uuid.UUID]db.MessageListLatestRow, len(rows))
	for _, row := range rows {
		latest[row.ConversationID] = row
	}
	return latest, nil
}

// CountHandedOff counts the conversations that are with operators, up to a number.
func (s *Service) CountHandedOff(ctx context.Context, workspaceID uuid.UUID, atMost int32) (int64, error) {
	n, err := db.New().ConversationCountHandedOff(ctx, s.DB, db.ConversationCountHandedOffParams{WorkspaceID: workspaceID, AtMost: atMost})
	if err != nil {
		return 0, fmt.Errorf("count conversations: %w", err)
	}
	return n, nil
}

// OperatorOf returns the operator that is linked to a user, or postgres.ErrNotFound.
func (*Service) OperatorOf(ctx context.Context, on postgres.Conn, workspaceID, userID uuid.UUID) (db.Operator, error) {
	row, err := db.New().OperatorOfUser(ctx, on, db.OperatorOfUserParams{WorkspaceID: workspaceID, UserID: userID})
	return row, postgres.Found("get operator of user", err)
}
