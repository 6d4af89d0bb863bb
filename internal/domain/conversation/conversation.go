// Package conversation holds the rules of conversations, their messages,
// operators and tags.
package conversation

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

// Service reads and changes conversations.
type Service struct {
	DB        *postgres.DB
	IDs       *id.Generator
	Clock     clock.Clock
	Pages     *page.Codec
	Events    *event.Recorder
	Providers provider.Registry
	Addresses *Addresses
	// Bell wakes what sends messages and what fetches files.
	Bell *wake.Bell
	// Live tells what shows conversations live which of them have changed; nil tells no one.
	Live *fanout.Hub
}

// Filter selects conversations; all parts must match. A conversation
// matches TagIDs when it carries every one of them.
type Filter struct {
	AgentID, ChannelID *uuid.UUID
	Status             *api.ConversationStatus
	TagIDs             []uuid.UUID
	// OperatorID selects those that are assigned to an operator, and Unassigned those that are
	// assigned to none.
	OperatorID *uuid.UUID
	Unassigned bool
	// ContactIDs selects those with one of some contacts; nil for all.
	ContactIDs []uuid.UUID
}

func (f Filter) list(workspaceID uuid.UUID) page.List {
	parts := []string{fmt.Sprint(f.AgentID), fmt.Sprint(f.ChannelID), "", ""}
	if f.Status != nil {
		parts[2] = string(*f.Status)
	}
	parts[3] = fmt.Sprint(f.TagIDs)
	if f.OperatorID != nil || f.Unassigned || f.ContactIDs != nil {
		parts = append(parts, fmt.Sprint(f.OperatorID, f.Unassigned, f.ContactIDs))
	}
	return page.List{Workspace: workspaceID, Name: "conversations", Filters: parts}
}

// List returns a page of conversations, latest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, filter Filter, request page.Request) (page.Page[db.ConversationListRow], error) {
	filter.TagIDs = distinct(filter.TagIDs)
	read := func(ctx context.Context, before uuid.UUID, limit int32) ([]db.ConversationListRow, error) {
		return s.query(ctx, workspaceID, filter, before, limit)
	}
	return page.ByID(ctx, s.Pages, filter.list(workspaceID), request, read,
		func(row db.ConversationListRow) uuid.UUID { return row.Conversation.ID })
}

func (s *Service) query(ctx context.Context, workspaceID uuid.UUID, f Filter, before uuid.UUID, limit int32) ([]db.ConversationListRow, error) {
	on := postgres.PlanEachTime(s.DB)
	if len(f.TagIDs) == 0 {
		return db.New().ConversationList(ctx, on, db.ConversationListParams{
			WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit,
			AgentID: f.AgentID, ChannelID: f.ChannelID, Status: (*string)(f.Status),
			OperatorID: f.OperatorID, Unassigned: f.Unassigned, ContactIDs: f.ContactIDs,
		})
	}
	tagged, err := db.New().ConversationListTagged(ctx, on, db.ConversationListTaggedParams{
		WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit,
		FirstTagID: f.TagIDs[0], OtherTagIDs: f.TagIDs[1:],
		AgentID: f.AgentID, ChannelID: f.ChannelID, Status: (*string)(f.Status),
		OperatorID: f.OperatorID, Unassigned: f.Unassigned, ContactIDs: f.ContactIDs,
	})
	rows := make([]db.ConversationListRow, len(tagged))
	for i, row := range tagged {
		rows[i] = db.ConversationListRow(row)
	}
	return rows, err
}

// Detail is a conversation with its tags, what its channel allows, and its messages.
type Detail struct {
	db.ConversationGetRow

	Tags       []db.Tag
	Policy     Policy
	Transcript *Transcript
}

// Get returns a conversation, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, conversationID uuid.UUID) (Detail, error) {
	row, err := s.row(ctx, workspaceID, conversationID)
	if err != nil {
		return Detail{}, err
	}
	tags, err := db.New().TagListByConversation(ctx, s.DB, db.TagListByConversationParams{WorkspaceID: workspaceID, ConversationID: conversationID})
	if err != nil {
		return Detail{}, fmt.Errorf("list tags of conversation: %w", err)
	}
	transcript, err := openTranscript(ctx, s.DB, workspaceID, conversationID)
	return Detail{ConversationGetRow: row, Tags: tags, Policy: s.policy(row), Transcript: transcript}, err
}

func (s *Service) row(ctx context.Context, workspaceID, conversationID uuid.UUID) (db.ConversationGetRow, error) {
	row, err := db.New().ConversationGet(ctx, s.DB, db.ConversationGetParams{WorkspaceID: workspaceID, ID: conversationID})
	return row, postgres.Found("get conversation", err)
}

// distinct returns the ids sorted, without duplicates.
func distinct(ids []uuid.UUID) []uuid.UUID {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(sorted)
}
