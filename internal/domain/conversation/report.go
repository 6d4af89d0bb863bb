package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
)

// ApplyEdit changes or removes a message of a contact, and reports whether the message is
// known. It locks the conversation.
func (s *Service) ApplyEdit(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.Edit) (known bool, err error) {
	found, err := db.New().MessageByExternalID(ctx, tx, db.MessageByExternalIDParams{
		WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, ExternalID: externalID(in.ExternalID),
	})
	if postgres.IsNotFound(err) || err == nil && found.Role != api.MessageRoleUSER {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("find message: %w", err)
	}
	row, message, err := s.lockMessage(ctx, tx, channel.WorkspaceID, found.ID)
	if err != nil || message.RedactedAt != nil {
		return err == nil, err
	}
	at := s.Clock.Now()
	if !in.At.IsZero() && in.At.Before(at) {
		at = in.At
	}
	change := db.MessageEditParams{WorkspaceID: row.WorkspaceID, ID: message.ID, Revision: row.Revision + 1, Content: clean(in.Text, maxContent), EditedAt: &at}
	if in.Removed {
		change.Content, change.EditedAt, change.RedactedAt = "", nil, &at
	}
	if _, err := db.New().MessageEdit(ctx, tx, change); err != nil {
		return false, fmt.Errorf("edit message: %w", err)
	}
	return true, s.touch(ctx, tx, row)
}

// ApplyHeard cuts a message that was interrupted while it was spoken to what the contact has
// heard, and reports whether it is known. It locks the conversation.
func (s *Service) ApplyHeard(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.Heard) (known bool, err error) {
	found, err := db.New().MessageByExternalID(ctx, tx, db.MessageByExternalIDParams{
		WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, ExternalID: externalID(in.ExternalID),
	})
	if postgres.IsNotFound(err) || err == nil && found.Role != api.MessageRoleASSISTANT {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("find message: %w", err)
	}
	row, message, err := s.lockMessage(ctx, tx, channel.WorkspaceID, found.ID)
	if err != nil || message.RedactedAt != nil {
		return err == nil, err
	}
	at := s.Clock.Now()
	change := db.MessageEditParams{WorkspaceID: row.WorkspaceID, ID: message.ID, Revision: row.Revision + 1, Content: clean(in.Text, maxContent) + "…", EditedAt: &at}
	if _, err := db.New().MessageEdit(ctx, tx, change); err != nil {
		return false, fmt.Errorf("cut message: %w", err)
	}
	return true, s.touch(ctx, tx, row)
}

// ApplyBlock records that a contact has blocked a channel or opted out, or takes that back.
// It locks the identity: call it before anything that locks a conversation.
func (s *Service) ApplyBlock(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.Block) error {
	params := db.IdentitySetBlockedParams{WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, ExternalID: externalID(in.From)}
	if in.On {
		now := s.Clock.Now()
		params.BlockedAt = &now
	}
	if _, err := db.New().IdentitySetBlocked(ctx, tx, params); err != nil {
		return fmt.Errorf("record block: %w", err)
	}
	return nil
}

// ApplyEnd closes the conversation of a thread that has ended, and reports whether there is
// one. It locks the conversation.
func (s *Service) ApplyEnd(ctx context.Context, tx postgres.Tx, channel db.Channel, in provider.End) (known bool, err error) {
	row, err := db.New().ConversationLatestOfThread(ctx, tx, db.ConversationLatestOfThreadParams{
		WorkspaceID: channel.WorkspaceID, ChannelID: channel.ID, ThreadExternalID: externalID(in.Thread),
	})
	if in.Thread == "" || postgres.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("find conversation of thread: %w", err)
	}
	_, err = s.Close(ctx, tx, row.WorkspaceID, row.ID)
	return true, err
}

// Fetched is a file that was fetched from the provider and stored.
type Fetched struct {
	BlobKey, Name, ContentType string
	SizeBytes                  int64
}

// FinishAttachment records that an attachment was fetched, or with nil that it cannot be.
// It does nothing if the attachment is not pending. It locks the conversation.
func (s *Service) FinishAttachment(ctx context.Context, tx postgres.Tx, workspaceID, messageID, attachmentID uuid.UUID, file *Fetched) error {
	row, message, err := s.lockMessage(ctx, tx, workspaceID, messageID)
	if err != nil {
		return err
	}
	params := db.AttachmentFinishParams{WorkspaceID: workspaceID, ID: attachmentID, State: api.AttachmentStateFAILED}
	if file != nil {
		contentType := clean(file.ContentType, maxName)
		params.State, params.BlobKey, params.Name = api.AttachmentStateSTORED, &file.BlobKey, cleanOrNil(file.Name, maxName)
		params.ContentType, params.SizeBytes = &contentType, &file.SizeBytes
	}
	finished, err := db.New().AttachmentFinish(ctx, tx, params)
	if err != nil {
		return fmt.Errorf("finish attachment: %w", err)
	}
	if finished == 0 {
		return nil
	}
	if _, err := db.New().MessageTouch(ctx, tx, db.MessageTouchParams{WorkspaceID: workspaceID, ID: message.ID, Revision: row.Revision + 1}); err != nil {
		return fmt.Errorf("record change of message: %w", err)
	}
	return s.touch(ctx, tx, row)
}

// touch records a change of a locked conversation.
func (s *Service) touch(ctx context.Context, tx postgres.Tx, row db.Conversation) error {
	params := db.ConversationTouchManyParams{WorkspaceID: row.WorkspaceID, IDs: []uuid.UUID{row.ID}, UpdatedAt: s.Clock.Now()}
	if err := db.New().ConversationTouchMany(ctx, tx, params); err != nil {
		return fmt.Errorf("record change of conversation: %w", err)
	}
	s.Changed(tx, row.ID)
	return nil
}
