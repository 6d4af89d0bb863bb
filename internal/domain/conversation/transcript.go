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

// Message is a message with its files.
type Message struct {
	db.Message

	Attachments []db.Attachment
}

// withAttachments reads the files of messages.
func withAttachments(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, rows []db.Message) ([]Message, error) {
	ids, at := make([]uuid.UUID, len(rows)), make(map[uuid.UUID]int, len(rows))
	messages := make([]Message, len(rows))
	for i, row := range rows {
		ids[i], at[row.ID], messages[i].Message = row.ID, i, row
	}
	if len(rows) == 0 {
		return messages, nil
	}
	files, err := db.New().AttachmentListByMessages(ctx, on, db.AttachmentListByMessagesParams{WorkspaceID: workspaceID, MessageIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("list attachments: %w", err)
	}
	for _, file := range files {
		one := &messages[at[file.MessageID]]
		one.Attachments = append(one.Attachments, file)
	}
	return messages, nil
}

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

// Transcript returns the messages of a conversation.
func (s *Service) Transcript(ctx context.Context, workspaceID, conversationID uuid.UUID) (*Transcript, error) {
	return openTranscript(ctx, s.DB, workspaceID, conversationID)
}

// Attachment returns a stored file of a message that was not redacted, or
// postgres.ErrNotFound.
func (s *Service) Attachment(ctx context.Context, workspaceID, attachmentID uuid.UUID) (db.Attachment, error) {
	row, err := db.New().AttachmentGet(ctx, s.DB, db.AttachmentGetParams{WorkspaceID: workspaceID, ID: attachmentID})
	if err == nil && row.Attachment.State != api.AttachmentStateSTORED {
		err = postgres.ErrNotFound
	}
	return row.Attachment, postgres.Found("get attachment", err)
}

// Next returns the next batch of messages, which is empty after the last one.
func (t *Transcript) Next(ctx context.Context) ([]Message, error) {
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
	return withAttachments(ctx, t.on, t.workspaceID, rows)
}

// Message returns a message of a conversation, or postgres.ErrNotFound.
func (s *Service) Message(ctx context.Context, workspaceID, conversationID, messageID uuid.UUID) (Message, error) {
	row, err := db.New().MessageGet(ctx, s.DB, db.MessageGetParams{WorkspaceID: workspaceID, ConversationID: conversationID, ID: messageID})
	if err := postgres.Found("get message", err); err != nil {
		return Message{}, err
	}
	messages, err := withAttachments(ctx, s.DB, workspaceID, []db.Message{row})
	if err != nil {
		return Message{}, err
	}
	return messages[0], nil
}

// Messages returns a page of a conversation's messages. It returns postgres.ErrNotFound
// and page.ErrInvalidCursor.
func (s *Service) Messages(ctx context.Context, workspaceID, conversationID uuid.UUID, order api.MessageOrder, request page.Request) (page.Page[Message], error) {
	list := page.List{Workspace: workspaceID, Name: "messages", Filters: []string{conversationID.String(), string(order)}}
	from, err := s.Pages.Decode(list, request)
	if err != nil {
		return page.Page[Message]{}, err
	}
	rows, err := s.listMessages(ctx, workspaceID, conversationID, order, from.ID, request.Size()+1)
	if err != nil {
		return page.Page[Message]{}, fmt.Errorf("list messages: %w", err)
	}
	if len(rows) == 0 {
		if _, err := s.row(ctx, workspaceID, conversationID); err != nil {
			return page.Page[Message]{}, err
		}
	}
	messages, err := withAttachments(ctx, s.DB, workspaceID, rows)
	if err != nil {
		return page.Page[Message]{}, err
	}
	return page.Cut(s.Pages, list, request, messages, func(row Message) page.Position { return page.Position{ID: row.ID} }), nil
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
