package integration

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

// maxVisited is about how many deliveries a request for a page reads: those of events that
// the token cannot read could be millions.
const maxVisited = 1000

// Deliveries returns a page of the deliveries to a webhook, newest first, without those of
// events that the token cannot read: the webhook may have been subscribed to others before.
// Such a page may have fewer rows than requested, and a next one nevertheless. It fails
// with postgres.ErrNotFound, *token.MissingScopeError and page.ErrInvalidCursor.
func (s *Service) Deliveries(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has, request page.Request) (page.Page[db.WebhookDeliveryListRow], error) {
	if _, err := s.webhook(ctx, workspaceID, integrationID, has); err != nil {
		return page.Page[db.WebhookDeliveryListRow]{}, err
	}
	list := page.List{Workspace: workspaceID, Name: "deliveries", Filters: []string{integrationID.String()}}
	from, err := s.Pages.Decode(list, request)
	if err != nil {
		return page.Page[db.WebhookDeliveryListRow]{}, err
	}
	rows, last, err := s.readable(ctx, workspaceID, integrationID, has, from.ID, int(request.Size()))
	found := page.Page[db.WebhookDeliveryListRow]{Rows: rows}
	if err == nil && last != uuid.Nil {
		next := s.Pages.Encode(list, page.Position{ID: last})
		found.Next = &next
	}
	return found, err
}

// readable returns up to size deliveries before a position that the token can read, and the
// last one that was visited; none if there are no more.
func (s *Service) readable(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has, before uuid.UUID, size int) (rows []db.WebhookDeliveryListRow, last uuid.UUID, err error) {
	limit := size + 1 // all of them are readable, as a rule
	for visited := 0; visited < maxVisited; {
		batch, err := db.New().WebhookDeliveryList(ctx, s.DB, db.WebhookDeliveryListParams{
			WorkspaceID: workspaceID, IntegrationID: integrationID, BeforeID: before, RowLimit: int32(limit),
		})
		if err != nil {
			return nil, uuid.Nil, fmt.Errorf("list deliveries: %w", err)
		}
		for _, row := range batch {
			if s.Types.Authorize([]string{string(row.EventType)}, has) != nil {
				continue
			}
			if len(rows) == size {
				return rows, rows[size-1].WebhookDelivery.ID, nil
			}
			rows = append(rows, row)
		}
		if len(batch) < limit {
			return rows, uuid.Nil, nil
		}
		visited += len(batch)
		before, limit = batch[len(batch)-1].WebhookDelivery.ID, maxVisited/4
	}
	return rows, before, nil
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
