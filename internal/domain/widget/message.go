package widget

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/openapi/timestamp"
)

// NewMessage is a message that a visitor sends.
type NewMessage struct {
	ClientMessageID uuid.UUID
	Content         string
	AttachmentIDs   []uuid.UUID
	// Address is the network of the visitor, which can begin a limited number of conversations.
	Address string
}

// Send stores a message, unless it was stored before. It fails with ErrAttachment, or with
// *TooManyError if the address has begun too many conversations.
func (s *Service) Send(ctx context.Context, c Channel, v Visitor, in NewMessage) (message api.WidgetMessage, duplicate bool, err error) {
	externalID := uuid.NewSHA1(v.Topic(), in.ClientMessageID[:]).String()
	if known, err := s.known(ctx, v, externalID); err != nil || known != nil {
		return s.repeated(ctx, known, err)
	}
	begins, err := s.admit(ctx, v, in.Address)
	if err != nil {
		return message, false, err
	}
	var received conversation.Received
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		inbound := conversation.Inbound{Message: provider.Message{
			ExternalID: externalID, ClientMessageID: in.ClientMessageID.String(), Text: in.Content,
			From: provider.Identity{ExternalID: v.ExternalID, Name: v.Name, Email: v.Email, Phone: v.Phone, Verified: v.Verified},
		}}
		if err := s.takeUploads(ctx, tx, v, in.AttachmentIDs, &inbound); err != nil {
			return err
		}
		received, err = s.Conversations.Receive(ctx, tx, c.Row, c.Provider.Rules(), inbound)
		return err
	})
	if err != nil {
		// The same message may have been stored meanwhile, with its files.
		if known, again := s.known(ctx, v, externalID); again == nil && known != nil {
			return s.repeated(ctx, known, nil)
		}
		return message, false, err
	}
	if received.Duplicate {
		return s.repeated(ctx, &received.Message, nil)
	}
	if begins {
		s.Hub.Publish(fanout.Hint{Topic: v.Topic()})
	}
	return show(received.Message, "", received.Attachments), false, nil
}

// known returns a message that was stored before, or nil.
func (s *Service) known(ctx context.Context, v Visitor, externalID string) (*db.Message, error) {
	row, err := db.New().MessageByExternalID(ctx, s.DB, db.MessageByExternalIDParams{WorkspaceID: v.WorkspaceID, ChannelID: v.ChannelID, ExternalID: externalID})
	if postgres.IsNotFound(err) {
		return nil, nil //nolint:nilnil // there is none
	} else if err != nil {
		return nil, fmt.Errorf("find message: %w", err)
	}
	return &row, nil
}

func (s *Service) repeated(ctx context.Context, known *db.Message, err error) (api.WidgetMessage, bool, error) {
	if err != nil {
		return api.WidgetMessage{}, false, err
	}
	files, err := s.files(ctx, known.WorkspaceID, []uuid.UUID{known.ID})
	if err != nil {
		return api.WidgetMessage{}, false, err
	}
	return show(*known, "", files[known.ID]), true, nil
}

// admit counts a message that begins a conversation.
func (s *Service) admit(ctx context.Context, v Visitor, address string) (begins bool, err error) {
	current, err := s.current(ctx, v)
	if err == nil && current.Status != api.ConversationStatusCLOSED {
		return false, nil
	} else if err != nil && !postgres.IsNotFound(err) {
		return false, fmt.Errorf("find conversation of visitor: %w", err)
	}
	return true, s.limit(ctx, "conversations", address, s.NewConversations)
}

// limit counts something that an address adds.
func (s *Service) limit(ctx context.Context, what, address string, limit ratelimit.Limit) error {
	taken, err := s.Limiter.Take(ctx, "widget "+what+" "+address, limit)
	if err != nil {
		return fmt.Errorf("rate limit: %w", err)
	}
	if !taken.Allowed {
		return &TooManyError{What: what, Limit: limit, Result: taken}
	}
	return nil
}

// TooManyError means that an address has added too many conversations or files.
type TooManyError struct {
	ratelimit.Limit
	ratelimit.Result

	What string
}

// Error implements error.
func (e *TooManyError) Error() string { return "widget: too many new " + e.What }

// List returns a page of the messages of the visitor's conversation, newest first, or
// page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, v Visitor, request page.Request) (page.Page[api.WidgetMessage], error) {
	current, err := s.current(ctx, v)
	if postgres.IsNotFound(err) {
		return page.Page[api.WidgetMessage]{}, nil
	} else if err != nil {
		return page.Page[api.WidgetMessage]{}, fmt.Errorf("find conversation of visitor: %w", err)
	}
	list := page.List{Workspace: v.WorkspaceID, Name: "widget messages", Filters: []string{current.ID.String()}}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]api.WidgetMessage, error) {
		return s.newest(ctx, v.WorkspaceID, current, before, limit)
	}, func(m api.WidgetMessage) uuid.UUID { return m.ID })
}

// newest returns messages of a conversation, newest first.
func (s *Service) newest(ctx context.Context, workspaceID uuid.UUID, of db.WidgetConversationRow, before uuid.UUID, limit int32) ([]api.WidgetMessage, error) {
	rows, err := db.New().WidgetMessageListNewest(ctx, s.DB, db.WidgetMessageListNewestParams{
		WorkspaceID: workspaceID, ConversationID: of.ID, BeforeID: before, ThroughRevision: of.Revision, RowLimit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	changed := make([]db.WidgetMessageListChangedRow, len(rows))
	for i, row := range rows {
		changed[i] = db.WidgetMessageListChangedRow(row)
	}
	return s.showAll(ctx, workspaceID, changed)
}

func (s *Service) showAll(ctx context.Context, workspaceID uuid.UUID, rows []db.WidgetMessageListChangedRow) ([]api.WidgetMessage, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.Message.ID
	}
	files, err := s.files(ctx, workspaceID, ids)
	if err != nil {
		return nil, err
	}
	messages := make([]api.WidgetMessage, len(rows))
	for i, row := range rows {
		messages[i] = show(row.Message, row.AuthorName, files[row.Message.ID])
	}
	return messages, nil
}

// files returns the files of messages.
func (s *Service) files(ctx context.Context, workspaceID uuid.UUID, messageIDs []uuid.UUID) (map[uuid.UUID][]db.Attachment, error) {
	byMessage := map[uuid.UUID][]db.Attachment{}
	if len(messageIDs) == 0 {
		return byMessage, nil
	}
	rows, err := db.New().AttachmentListByMessages(ctx, s.DB, db.AttachmentListByMessagesParams{WorkspaceID: workspaceID, MessageIDs: messageIDs})
	if err != nil {
		return nil, fmt.Errorf("list attachments: %w", err)
	}
	for _, row := range rows {
		byMessage[row.MessageID] = append(byMessage[row.MessageID], row)
	}
	return byMessage, nil
}

// show returns a message as the visitor sees it.
func show(row db.Message, author string, files []db.Attachment) api.WidgetMessage {
	m := api.WidgetMessage{
		ID: row.ID, ClientMessageID: row.ClientMessageID, Role: row.Role, Content: row.Content, Author: api.WidgetAuthor{Type: row.AuthorType},
		DeliveryStatus: row.DeliveryStatus, Attachments: make([]api.Attachment, 0, len(files)), CreatedAt: timestamp.New(row.CreatedAt),
		EditedAt: timestamp.NewPtr(row.EditedAt), RedactedAt: timestamp.NewPtr(row.RedactedAt),
	}
	if author != "" {
		m.Author.Name = &author
	}
	if row.RedactedAt != nil {
		return m
	}
	if citations, err := conversation.Citations(row); err == nil && len(citations) > 0 {
		m.Citations = &citations
	}
	for _, file := range files {
		m.Attachments = append(m.Attachments, api.Attachment{
			ID: file.ID, Type: file.Type, Name: file.Name, ContentType: file.ContentType, SizeBytes: file.SizeBytes, State: file.State,
		})
	}
	return m
}

// Read records that the visitor has seen the messages up to one, or fails with
// postgres.ErrNotFound.
func (s *Service) Read(ctx context.Context, c Channel, v Visitor, messageID uuid.UUID) error {
	seen, err := db.New().WidgetMessageGet(ctx, s.DB, db.WidgetMessageGetParams{
		WorkspaceID: v.WorkspaceID, ID: messageID, ChannelID: v.ChannelID, ExternalID: v.ExternalID,
	})
	if err := postgres.Found("get message", err); err != nil {
		return err
	}
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		_, err := s.Conversations.ApplyStatus(ctx, tx, c.Row, provider.Status{Contact: v.ExternalID, Through: seen.CreatedAt, Status: api.DeliveryStatusREAD})
		return err
	})
	if err != nil {
		return fmt.Errorf("record that messages were read: %w", err)
	}
	return nil
}

// Typing tells those who follow the visitor's conversation that the visitor is writing, or
// has stopped.
func (s *Service) Typing(ctx context.Context, v Visitor, on bool) error {
	current, err := s.current(ctx, v)
	if postgres.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find conversation of visitor: %w", err)
	}
	s.Conversations.Typing(current.ID, api.MessageAuthorTypeCONTACT, on)
	return nil
}
