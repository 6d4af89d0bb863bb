package contact

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
)

// exportBatch is how many conversations an Export holds in memory.
const exportBatch = 100

// Export reads everything about a person in batches, oldest first. It holds no database
// connection between batches.
type Export struct {
	Contact Detail

	service *Service
	after   uuid.UUID
}

// Export returns the export of a contact, or postgres.ErrNotFound.
func (s *Service) Export(ctx context.Context, workspaceID, contactID uuid.UUID) (*Export, error) {
	found, err := s.Get(ctx, workspaceID, contactID)
	if err != nil {
		return nil, err
	}
	return &Export{Contact: found, service: s}, nil
}

// Next returns the next batch of conversations, which is empty after the last one.
func (e *Export) Next(ctx context.Context) ([]db.Conversation, error) {
	rows, err := db.New().ConversationListByContact(ctx, e.service.DB, db.ConversationListByContactParams{
		WorkspaceID: e.Contact.WorkspaceID, ContactID: e.Contact.ID, AfterID: e.after, RowLimit: exportBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("list conversations: %w", err)
	}
	if len(rows) > 0 {
		e.after = rows[len(rows)-1].ID
	}
	return rows, nil
}

// Restart makes Next begin again, for another pass over the conversations.
func (e *Export) Restart() { e.after = uuid.Nil }

// Transcript returns the messages of a conversation.
func (e *Export) Transcript(ctx context.Context, row db.Conversation) (*conversation.Transcript, error) {
	return e.service.Conversations.Transcript(ctx, row.WorkspaceID, row.ID)
}

// Leads returns the leads of conversations.
func (e *Export) Leads(ctx context.Context, rows []db.Conversation) ([]db.Lead, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	leads, err := db.New().LeadListByConversations(ctx, e.service.DB, db.LeadListByConversationsParams{WorkspaceID: e.Contact.WorkspaceID, ConversationIDs: ids})
	if err != nil {
		return nil, fmt.Errorf("list leads: %w", err)
	}
	return leads, nil
}
