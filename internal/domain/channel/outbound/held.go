package outbound

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Send sends a message in place of a provider. It fails with *provider.SendError.
type Send func(ctx context.Context, m provider.Outbound) (provider.Sent, error)

// direct is a provider whose messages are sent over a connection to the contact.
type direct struct {
	provider.Provider

	send Send
}

// Send implements provider.Provider.
func (d direct) Send(ctx context.Context, _ provider.Channel, m provider.Outbound) (provider.Sent, error) {
	return d.send(ctx, m)
}

// SendHeld sends the messages of a conversation that this process holds, in their order, until
// none is due. Other processes leave them alone.
func (e *Engine) SendHeld(ctx context.Context, through channel.Opened, conversationID uuid.UUID, send Send) error {
	through.Provider = direct{Provider: through.Provider, send: send}
	rules := through.Provider.Rules()
	rules.Interval, rules.ContactInterval = 0, 0 // the contact is listening
	for ctx.Err() == nil {
		claimed, err := e.lease(ctx, through, rules, &conversationID, 1)
		if err != nil || len(claimed) == 0 {
			return err
		}
		claimed[0].run(ctx)
	}
	return nil
}

// Hold is the lease of a conversation whose messages are sent over one connection.
type Hold struct {
	engine                      *Engine
	workspaceID, conversationID uuid.UUID
	holder                      uuid.UUID
	length                      time.Duration
}

// Hold leases a conversation for a time, from who held it before.
func (e *Engine) Hold(ctx context.Context, on postgres.Conn, workspaceID, conversationID uuid.UUID, length time.Duration) (*Hold, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	h := &Hold{engine: e, workspaceID: workspaceID, conversationID: conversationID, holder: uuid.New(), length: length}
	_, err := db.New().ConversationHold(ctx, on, db.ConversationHoldParams{WorkspaceID: workspaceID, ID: conversationID, Holder: &h.holder, Until: e.Clock.Now().Add(length)})
	if err != nil {
		return nil, fmt.Errorf("hold conversation: %w", err)
	}
	return h, nil
}

// ConversationID is that of the conversation.
func (h *Hold) ConversationID() uuid.UUID { return h.conversationID }

// Renew renews the lease, and reports false if someone else has it.
func (h *Hold) Renew(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	held, err := db.New().ConversationRenewHold(ctx, h.engine.DB, db.ConversationRenewHoldParams{
		WorkspaceID: h.workspaceID, ID: h.conversationID, Holder: &h.holder, Until: h.engine.Clock.Now().Add(h.length),
	})
	if err != nil {
		return true, fmt.Errorf("renew hold of conversation: %w", err)
	}
	return held > 0, nil
}

// Release ends the lease. What is still queued is sent as other messages are.
func (h *Hold) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	err := db.New().ConversationReleaseHold(ctx, h.engine.DB, db.ConversationReleaseHoldParams{WorkspaceID: h.workspaceID, ID: h.conversationID, Holder: &h.holder})
	if err != nil {
		return fmt.Errorf("release conversation: %w", err)
	}
	h.engine.Wake.Send()
	return nil
}
