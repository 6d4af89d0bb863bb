package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
)

// Deliveries returns a page of the deliveries to a webhook, newest first. It fails with
// postgres.ErrNotFound, *token.MissingScopeError and page.ErrInvalidCursor.
func (s *Service) Deliveries(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has, request page.Request) (page.Page[db.WebhookDeliveryListRow], error) {
	if _, err := s.webhook(ctx, workspaceID, integrationID, has); err != nil {
		return page.Page[db.WebhookDeliveryListRow]{}, err
	}
	list := page.List{Workspace: workspaceID, Name: "deliveries", Filters: []string{integrationID.String()}}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.WebhookDeliveryListRow, error) {
		return db.New().WebhookDeliveryList(ctx, s.DB, db.WebhookDeliveryListParams{
			WorkspaceID: workspaceID, IntegrationID: integrationID, BeforeID: before, RowLimit: limit,
		})
	}, func(row db.WebhookDeliveryListRow) uuid.UUID { return row.WebhookDelivery.ID })
}

// Redeliver queues a delivery again. It fails with postgres.ErrNotFound, and with
// *token.MissingScopeError if the token cannot read this event or an event that the
// webhook is subscribed to now.
func (s *Service) Redeliver(ctx context.Context, on postgres.Conn, workspaceID, integrationID, deliveryID uuid.UUID, has Has) (row db.WebhookDeliveryGetRow, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := s.lock(ctx, tx, workspaceID, integrationID, has); err != nil {
			return err
		}
		found, err := db.New().WebhookDeliveryRepeat(ctx, tx, db.WebhookDeliveryRepeatParams{
			WorkspaceID: workspaceID, IntegrationID: integrationID, ID: deliveryID, Now: s.Clock.Now(),
		})
		if err != nil {
			return fmt.Errorf("repeat delivery: %w", err)
		}
		if found == 0 {
			return postgres.ErrNotFound
		}
		s.Bell.Ring(tx, wake.Deliveries)
		row, err = db.New().WebhookDeliveryGet(ctx, tx, db.WebhookDeliveryGetParams{
			WorkspaceID: workspaceID, IntegrationID: integrationID, ID: deliveryID,
		})
		if err := postgres.Found("get delivery", err); err != nil {
			return err
		}
		return s.Types.Authorize([]string{string(row.EventType)}, has)
	})
	return row, err
}

// Ping sends webhook.ping to a webhook immediately and returns the attempt, which is
// listed among the deliveries and not retried. Nothing is sent to a temporary webhook. It
// fails with postgres.ErrNotFound and *token.MissingScopeError.
func (s *Service) Ping(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has) (sender.Attempt, error) {
	row, err := s.webhook(ctx, workspaceID, integrationID, has)
	if err != nil {
		return sender.Attempt{}, err
	}
	target, err := sender.OpenTarget(s.Box, row, s.Clock.Now())
	unreadable := errors.Is(err, seal.ErrBroken)
	if err != nil && !unreadable {
		return sender.Attempt{}, err
	}
	recorded, err := s.Events.RecordNumbered(ctx, s.DB, workspaceID, event.WebhookPing{IntegrationID: integrationID})
	if err != nil {
		return sender.Attempt{}, err
	}
	attempt := sender.Attempt{At: s.Clock.Now(), Error: "nothing is sent to a temporary webhook: its events are read from GET /events"}
	switch {
	case unreadable:
		attempt.Error = sender.Unreadable
		if err := s.reportUnreadable(ctx, row); err != nil {
			return attempt, err
		}
	case row.ExpiresAt == nil:
		attempt = s.Sender.Post(ctx, target, recorded.ID.String(), event.AppendJSON(nil, recorded))
	}
	return attempt, s.recordAttempt(ctx, row, recorded, attempt)
}

// reportUnreadable reports a webhook whose secret cannot be decrypted.
func (s *Service) reportUnreadable(ctx context.Context, row db.Integration) error {
	err := db.New().SystemIntegrationSetUnreadable(ctx, s.DB, db.SystemIntegrationSetUnreadableParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Message: sender.Unreadable, At: s.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("report unreadable secret: %w", err)
	}
	return nil
}

// recordAttempt stores a delivery with its only attempt.
func (s *Service) recordAttempt(ctx context.Context, row db.Integration, sent db.Event, attempt sender.Attempt) error {
	raw, err := json.Marshal([]sender.Stored{attempt.Stored()})
	if err != nil {
		return fmt.Errorf("attempt: %w", err)
	}
	status := api.WebhookDeliveryStatusFAILED
	if attempt.OK() {
		status = api.WebhookDeliveryStatusSUCCEEDED
	}
	deliveryID, now := s.IDs.New()
	err = db.New().WebhookDeliveryRecord(ctx, s.DB, db.WebhookDeliveryRecordParams{
		WorkspaceID: row.WorkspaceID, IntegrationID: row.ID, ID: deliveryID, EventSequence: sent.Sequence,
		Status: status, Attempts: raw, CreatedAt: now,
	})
	if postgres.Violates(err, db.WebhookDeliveriesIntegrationFkey) {
		return fmt.Errorf("webhook deleted while it was tested: %w", postgres.ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("record delivery: %w", err)
	}
	return nil
}
