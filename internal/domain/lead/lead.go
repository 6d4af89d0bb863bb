// Package lead manages leads: people who have left their contact details.
package lead

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

// MaxFields is how many fields a lead has at most.
const MaxFields = 50

// FieldCountError means that a change would leave a lead without fields, or with more
// than MaxFields.
type FieldCountError struct{ Count int }

// Error implements error.
func (e *FieldCountError) Error() string { return fmt.Sprintf("lead: %d fields", e.Count) }

// Service reads and changes leads.
type Service struct {
	DB     *postgres.DB
	IDs    *id.Generator
	Clock  clock.Clock
	Pages  *page.Codec
	Events *event.Recorder
}

// Get returns a lead, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, leadID uuid.UUID) (db.Lead, error) {
	row, err := db.New().LeadGet(ctx, s.DB, db.LeadGetParams{WorkspaceID: workspaceID, ID: leadID})
	return row, postgres.Found("get lead", err)
}

// NewLead is a lead to create. Fields is a JSON object of texts.
type NewLead struct {
	Fields json.RawMessage
	Source *string
	// Entry returns the audit entry of the request; nil if there is none.
	Entry func(leadID uuid.UUID) *audit.Entry
}

// OfConversation returns the latest lead of a conversation, or postgres.ErrNotFound.
func (s *Service) OfConversation(ctx context.Context, workspaceID, conversationID uuid.UUID) (db.Lead, error) {
	row, err := db.New().LeadOfConversation(ctx, s.DB, db.LeadOfConversationParams{WorkspaceID: workspaceID, ConversationID: conversationID})
	return row, postgres.Found("get lead of conversation", err)
}

// Create stores a lead in stage NEW, without a score.
func (s *Service) Create(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, in NewLead) (db.Lead, error) {
	leadID, now := s.IDs.New()
	eventID, _ := s.IDs.New()
	data, err := s.Events.Encode(event.LeadCreated{Lead: db.Lead{
		ID: leadID, Status: api.LeadStatusNEW, Fields: in.Fields, Source: in.Source, CreatedAt: now, UpdatedAt: now,
	}})
	if err != nil {
		return db.Lead{}, err
	}
	params := db.LeadCreateParams{
		WorkspaceID: workspaceID, ID: leadID, Fields: in.Fields, Source: in.Source, CreatedAt: now,
		EventID: eventID, EventData: data,
	}
	if in.Entry != nil {
		entry := in.Entry(leadID).Clean()
		params.Action, params.ActorID, params.Target = &entry.Action, &entry.ActorID, &entry.Target
		params.IP, params.UserAgent, params.RequestID = &entry.IP, &entry.UserAgent, &entry.RequestID
	}
	// One statement stores the lead, its event and its audit entry.
	row, err := db.New().LeadCreate(ctx, on, params)
	if err != nil {
		return db.Lead{}, fmt.Errorf("create lead: %w", err)
	}
	s.Events.Bell.Ring(on, wake.Events)
	return db.Lead(row), nil
}

// Change describes an update of a lead. Nil values change nothing. A null property of
// Fields removes that field.
type Change struct {
	Fields        json.RawMessage
	Score         func() *int16
	CRMExternalID func() *string
}

// Update merges fields and sets score and CRM id. It fails with postgres.ErrNotFound, or
// with *FieldCountError if no field or too many would be left.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID, leadID uuid.UUID, change Change) (row db.Lead, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := lock(ctx, tx, workspaceID, leadID)
		if err != nil {
			return err
		}
		params := db.LeadUpdateParams{
			WorkspaceID: workspaceID, ID: leadID, Fields: json.RawMessage("{}"), UpdatedAt: s.Clock.Now(),
			Score: before.Score, ScoreReason: before.ScoreReason, CrmExternalID: before.CrmExternalID,
		}
		if change.Fields != nil {
			params.Fields = change.Fields
		}
		if change.Score != nil {
			params.Score, params.ScoreReason = change.Score(), nil
		}
		if change.CRMExternalID != nil {
			params.CrmExternalID = change.CRMExternalID()
		}
		if row, err = db.New().LeadUpdate(ctx, tx, params); err != nil {
			return fmt.Errorf("update lead: %w", err)
		}
		if err := checkFields(row.Fields); err != nil || same(before, row) {
			return err
		}
		return s.Events.Record(ctx, tx, workspaceID, params.UpdatedAt, event.LeadUpdated{Lead: row})
	})
	return row, err
}

// SetStatus moves a lead to a stage. If the lead is already in that stage, nothing changes.
func (s *Service) SetStatus(ctx context.Context, on postgres.Conn, workspaceID, leadID uuid.UUID, status api.LeadStatus) (row db.Lead, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = lock(ctx, tx, workspaceID, leadID); err != nil || row.Status == status {
			return err
		}
		previous, now := row.Status, s.Clock.Now()
		row, err = db.New().LeadSetStatus(ctx, tx, db.LeadSetStatusParams{
			WorkspaceID: workspaceID, ID: leadID, Status: status, UpdatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("set lead status: %w", err)
		}
		err = db.New().LeadCountMove(ctx, tx, db.LeadCountMoveParams{
			WorkspaceID: workspaceID, ConversationID: row.ConversationID, CreatedAt: row.CreatedAt,
			FromStatus: string(previous), ToStatus: string(status),
		})
		if err != nil {
			return fmt.Errorf("count lead: %w", err)
		}
		return s.Events.Record(ctx, tx, workspaceID, now, event.LeadStatusChanged{Lead: row, Previous: previous})
	})
	return row, err
}

// Delete deletes a lead permanently. It fails with postgres.ErrNotFound.
func (s *Service) Delete(ctx context.Context, on postgres.Conn, workspaceID, leadID uuid.UUID) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		gone, err := db.New().LeadDelete(ctx, tx, db.LeadDeleteParams{WorkspaceID: workspaceID, ID: leadID})
		if err != nil {
			return fmt.Errorf("delete lead: %w", err)
		}
		if gone == 0 {
			return postgres.ErrNotFound
		}
		return s.Events.Record(ctx, tx, workspaceID, s.Clock.Now(), event.LeadDeleted{LeadID: leadID})
	})
}

func lock(ctx context.Context, tx postgres.Tx, workspaceID, leadID uuid.UUID) (db.Lead, error) {
	row, err := db.New().LeadLock(ctx, tx, db.LeadLockParams{WorkspaceID: workspaceID, ID: leadID})
	return row, postgres.Found("lock lead", err)
}

// same reports whether a change left a lead unchanged. PostgreSQL stores equal fields in
// the same form.
func same(a, b db.Lead) bool {
	return bytes.Equal(a.Fields, b.Fields) && equal(a.Score, b.Score) && equal(a.ScoreReason, b.ScoreReason) && equal(a.CrmExternalID, b.CrmExternalID)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func checkFields(raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("stored fields: %w", err)
	}
	if len(fields) == 0 || len(fields) > MaxFields {
		return &FieldCountError{Count: len(fields)}
	}
	return nil
}
