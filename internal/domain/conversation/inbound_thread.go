package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// findConversation locks the conversation that the message continues, and reopens it if it
// is closed, or begins one.
func (r *receiving) findConversation(ctx context.Context) (err error) {
	for _, find := range []func(context.Context) (db.Conversation, error){r.addressed, r.threaded, r.referenced, r.latest} {
		r.row, err = find(ctx)
		if err == nil {
			return r.reopen(ctx)
		}
		if !postgres.IsNotFound(err) {
			return fmt.Errorf("find conversation: %w", err)
		}
	}
	return r.begin(ctx)
}

// addressed finds the conversation of the token in the address that the contact wrote to.
func (r *receiving) addressed(ctx context.Context) (db.Conversation, error) {
	conversationID, ok := r.Addresses.conversation(r.channel, r.in.ConversationToken)
	if !ok {
		return db.Conversation{}, postgres.ErrNotFound
	}
	return r.lock(ctx, conversationID)
}

// threaded finds the conversation of the provider's thread.
func (r *receiving) threaded(ctx context.Context) (db.Conversation, error) {
	if r.in.Thread == "" {
		return db.Conversation{}, postgres.ErrNotFound
	}
	return db.New().ConversationLatestOfThread(ctx, r.tx, db.ConversationLatestOfThreadParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ThreadExternalID: externalID(r.in.Thread),
	})
}

// referenced finds the conversation of an earlier message that this one refers to.
func (r *receiving) referenced(ctx context.Context) (db.Conversation, error) {
	if len(r.in.References) == 0 {
		return db.Conversation{}, postgres.ErrNotFound
	}
	known, err := db.New().MessageByExternalIDs(ctx, r.tx, db.MessageByExternalIDsParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalIDs: externalIDs(r.in.References),
	})
	if err != nil {
		return db.Conversation{}, err
	}
	return r.lock(ctx, known.ConversationID)
}

// latest finds the latest conversation with the contact that is not closed. A message of a
// new thread begins a conversation of its own.
func (r *receiving) latest(ctx context.Context) (db.Conversation, error) {
	if r.in.Thread != "" {
		return db.Conversation{}, postgres.ErrNotFound
	}
	return db.New().ConversationLatestOfContact(ctx, r.tx, db.ConversationLatestOfContactParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ContactID: r.contact.ID,
	})
}

func (r *receiving) lock(ctx context.Context, conversationID uuid.UUID) (db.Conversation, error) {
	return db.New().ConversationLock(ctx, r.tx, db.ConversationLockParams{WorkspaceID: r.channel.WorkspaceID, ID: conversationID})
}

// reopen opens the conversation if it is closed.
func (r *receiving) reopen(ctx context.Context) error {
	changed, err := r.move(ctx, r.tx, []db.Conversation{r.row}, reopening)
	if err != nil || len(changed) == 0 {
		return err
	}
	payloads, err := changed.events(ctx, r.tx, r.row.WorkspaceID)
	r.events = append(r.events, payloads...)
	return err
}

// begin creates a conversation with the agent of the channel.
func (r *receiving) begin(ctx context.Context) (err error) {
	r.row, err = r.Service.begin(ctx, r.tx, beginning{
		channel: r.channel, contactID: r.contact.ID, status: api.ConversationStatusOPEN,
		identity: externalID(r.in.From.ExternalID), thread: r.in.Thread, subject: r.in.Subject,
	})
	if err != nil {
		return err
	}
	r.events = append(r.events, event.ConversationChanged{Type: api.EventTypeConversationCreated, Conversation: r.row, Contact: r.contact})
	return nil
}

// beginning is a conversation to create.
type beginning struct {
	channel                   db.Channel
	contactID                 uuid.UUID
	status                    api.ConversationStatus
	identity, thread, subject string
}

// begin creates a conversation and counts it.
func (s *Service) begin(ctx context.Context, tx postgres.Tx, in beginning) (db.Conversation, error) {
	conversationID, now := s.IDs.New()
	params := db.ConversationCreateParams{
		WorkspaceID: in.channel.WorkspaceID, ID: conversationID, AgentID: in.channel.AgentID, ChannelID: in.channel.ID, ContactID: in.contactID,
		Status: in.status, IdentityExternalID: &in.identity, ThreadExternalID: externalIDOrNil(in.thread),
		Subject: cleanOrNil(in.subject, maxSubject), CreatedAt: now,
	}
	q := db.New()
	row, err := q.ConversationCreate(ctx, tx, params)
	if err != nil {
		return row, fmt.Errorf("create conversation: %w", err)
	}
	err = q.ConversationStatusChangeRecordMany(ctx, tx, db.ConversationStatusChangeRecordManyParams{
		WorkspaceID: row.WorkspaceID, ConversationIDs: []uuid.UUID{row.ID}, FromStatuses: []string{""}, ToStatus: row.Status, ChangedAt: now,
	})
	if err != nil {
		return row, fmt.Errorf("record status change: %w", err)
	}
	return row, count(ctx, tx, row.WorkspaceID, []uuid.UUID{row.ID}, 1)
}
