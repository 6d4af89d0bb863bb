package outbound

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// maxReferences is how many earlier messages of a thread are named.
const maxReferences = 20

// attachments returns the files of the message, in their order.
func (s *sending) attachments(ctx context.Context) ([]provider.OutboundAttachment, error) {
	if !s.rules.Attachments || !s.row.HasAttachments {
		return nil, nil
	}
	rows, err := db.New().AttachmentListByMessages(ctx, s.DB, db.AttachmentListByMessagesParams{
		WorkspaceID: s.row.Message.WorkspaceID, MessageIDs: []uuid.UUID{s.row.MessageID},
	})
	if err != nil {
		return nil, fmt.Errorf("list attachments: %w", err)
	}
	files := make([]provider.OutboundAttachment, 0, len(rows))
	for _, row := range rows {
		if row.State != api.AttachmentStateSTORED {
			continue
		}
		key := *row.BlobKey
		files = append(files, provider.OutboundAttachment{
			Type: row.Type, Name: deref(row.Name), ContentType: *row.ContentType, SizeBytes: *row.SizeBytes,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return s.Blobs.Open(ctx, key) },
		})
	}
	return files, nil
}

// references returns the provider's IDs of the message replied to and, where its type uses
// them, of the latest messages before this one, oldest first.
func (s *sending) references(ctx context.Context) (replyTo string, references []string, err error) {
	if !s.rules.References {
		replyTo, err = s.repliedTo(ctx)
		return replyTo, nil, err
	}
	rows, err := db.New().MessageExternalIDListBefore(ctx, s.DB, db.MessageExternalIDListBeforeParams{
		WorkspaceID: s.row.Message.WorkspaceID, ConversationID: s.row.Conversation.ID, BeforeID: s.row.MessageID, RowLimit: maxReferences,
	})
	if err != nil {
		return "", nil, fmt.Errorf("list earlier messages: %w", err)
	}
	for _, row := range rows { // newest first
		references = append([]string{*row.ExternalID}, references...)
		if s.row.Message.ReplyToID != nil && row.ID == *s.row.Message.ReplyToID {
			replyTo = *row.ExternalID
		}
	}
	if replyTo == "" {
		replyTo, err = s.repliedTo(ctx)
	}
	return replyTo, references, err
}

// repliedTo returns the provider's ID of the message replied to; empty if there is none.
func (s *sending) repliedTo(ctx context.Context) (string, error) {
	if s.row.Message.ReplyToID == nil {
		return "", nil
	}
	message, err := db.New().MessageGet(ctx, s.DB, db.MessageGetParams{
		WorkspaceID: s.row.Message.WorkspaceID, ConversationID: s.row.Conversation.ID, ID: *s.row.Message.ReplyToID,
	})
	if err != nil {
		return "", fmt.Errorf("get message replied to: %w", err)
	}
	return deref(message.ExternalID), nil
}
