package lead

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Captured is what an agent knows about a visitor. Latest are the fields that the visitor has
// just written; the others may have been corrected by a person.
type Captured struct {
	// Verified says that it is known who the contact is, so that a lead of another
	// conversation with the contact is the same person's.
	Verified       bool
	Fields, Latest map[string]string
	Score          int16
	Reason         string
	Source         string
}

// Capture updates the lead of a conversation that is locked, or creates it. A score that a
// person has set stays.
func (s *Service) Capture(ctx context.Context, tx postgres.Tx, of db.Conversation, in Captured) (db.Lead, error) {
	known, err := s.known(ctx, tx, of, in.Verified)
	if postgres.IsNotFound(err) {
		return s.captureNew(ctx, tx, of, in)
	} else if err != nil {
		return db.Lead{}, fmt.Errorf("find lead: %w", err)
	}
	fields, err := json.Marshal(in.Latest)
	if err != nil {
		return db.Lead{}, fmt.Errorf("encode fields: %w", err)
	}
	params := db.LeadUpdateParams{
		WorkspaceID: known.WorkspaceID, ID: known.ID, Fields: fields, UpdatedAt: s.Clock.Now(),
		Score: known.Score, ScoreReason: known.ScoreReason, CrmExternalID: known.CrmExternalID,
	}
	if known.Score == nil || known.ScoreReason != nil {
		params.Score, params.ScoreReason = &in.Score, &in.Reason
	}
	row, err := db.New().LeadUpdate(ctx, tx, params)
	if err != nil {
		return row, fmt.Errorf("update lead: %w", err)
	}
	if same(known, row) {
		return row, nil
	}
	return row, s.Events.Record(ctx, tx, row.WorkspaceID, params.UpdatedAt, event.LeadUpdated{Lead: row})
}

// known locks the lead of the conversation, else that of another one with the contact.
func (*Service) known(ctx context.Context, tx postgres.Tx, of db.Conversation, verified bool) (db.Lead, error) {
	row, err := db.New().LeadLockOfConversation(ctx, tx, db.LeadLockOfConversationParams{WorkspaceID: of.WorkspaceID, ConversationID: of.ID})
	if !postgres.IsNotFound(err) || !verified {
		return row, err
	}
	return db.New().LeadLockOfContact(ctx, tx, db.LeadLockOfContactParams{WorkspaceID: of.WorkspaceID, ContactID: of.ContactID})
}

func (s *Service) captureNew(ctx context.Context, tx postgres.Tx, of db.Conversation, in Captured) (db.Lead, error) {
	fields, err := json.Marshal(in.Fields)
	if err != nil {
		return db.Lead{}, fmt.Errorf("encode fields: %w", err)
	}
	leadID, now := s.IDs.New()
	created, err := db.New().LeadCapture(ctx, tx, db.LeadCaptureParams{
		WorkspaceID: of.WorkspaceID, ID: leadID, Fields: fields, Score: in.Score, ScoreReason: in.Reason, Source: in.Source,
		ConversationID: of.ID, CreatedAt: now,
	})
	if err != nil {
		return db.Lead{}, fmt.Errorf("create lead: %w", err)
	}
	row := db.Lead(created)
	return row, s.Events.Record(ctx, tx, row.WorkspaceID, now, event.LeadCreated{Lead: row})
}

// SourceAgent is the source of leads that agents create.
const SourceAgent = "agent"
