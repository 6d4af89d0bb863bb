package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// transcriptBatch is how many messages a Transcript holds in memory.
const transcriptBatch = 200

// Transcript reads all messages of a conversation in batches, oldest first. It ends with
// the message that was the latest when it was opened. It holds no database connection
// between batches, so a slow reader costs none.
type Transcript struct {
	on                          postgres.Conn
	workspaceID, conversationID uuid.UUID
	after, through              uuid.UUID
}

func openTranscript(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID) (*Transcript, error) {
	latest, err := db.New().MessageLatest(ctx, on, db.MessageLatestParams{WorkspaceID: workspaceID, ConversationID: conversationID})
	if err != nil && !postgres.IsNotFound(err) {
		return nil, fmt.Errorf("latest message: %w", err)
	}
	return &Transcript{on: on, workspaceID: workspaceID, conversationID: conversationID, through: latest}, nil
}

// Next returns the next batch of messages, which is empty after the last one.
func (t *Transcript) Next(ctx context.Context) ([]db.Message, error) {
	if t.after == t.through {
		return nil, nil
	}
	rows, err := db.New().MessageListOldest(ctx, t.on, db.MessageListOldestParams{
		WorkspaceID: t.workspaceID, ConversationID: t.conversationID, AfterID: t.after, ThroughID: t.through, RowLimit: transcriptBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	t.after = t.through
	if len(rows) == transcriptBatch {
		t.after = rows[len(rows)-1].ID
	}
	return rows, nil
}

// Messages returns a page of a conversation's messages. It returns postgres.ErrNotFound
// and page.ErrInvalidCursor.
func (s *Service) Messages(ctx context.Context, workspaceID, conversationID uuid.UUID, order api.MessageOrder, request page.Request) (page.Page[db.Message], error) {
	list := page.List{Workspace: workspaceID, Name: "messages", Filters: []string{conversationID.String(), string(order)}}
	from, err := s.Pages.Decode(list, request)
	if err != nil {
		return page.Page[db.Message]{}, err
	}
	rows, err := s.listMessages(ctx, workspaceID, conversationID, order, from.ID, request.Size()+1)
	if err != nil {
		return page.Page[db.Message]{}, fmt.Errorf("list messages: %w", err)
	}
	if len(rows) == 0 {
		if _, err := s.row(ctx, workspaceID, conversationID); err != nil {
			return page.Page[db.Message]{}, err
		}
	}
	return page.Cut(s.Pages, list, request, rows, func(row db.Message) page.Position { return page.Position{ID: row.ID} }), nil
}

// listMessages begins at the last row of the page before, or at id.Max for the first page.
func (s *Service) listMessages(ctx context.Context, workspaceID, conversationID uuid.UUID, order api.MessageOrder, from uuid.UUID, limit int32) ([]db.Message, error) {
	if order == api.MessageOrderDesc {
		return db.New().MessageListNewest(ctx, s.DB, db.MessageListNewestParams{
			WorkspaceID: workspaceID, ConversationID: conversationID, BeforeID: from, RowLimit: limit,
		})
	}
	if from == id.Max {
		from = uuid.Nil
	}
	return db.New().MessageListOldest(ctx, s.DB, db.MessageListOldestParams{
		WorkspaceID: workspaceID, ConversationID: conversationID, AfterID: from, ThroughID: id.Max, RowLimit: limit,
	})
}
