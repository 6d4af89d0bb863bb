package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// maxTests is how many test events of a workspace are in flight from one process.
const maxTests = 5

// ErrTooManyTests means that maxTests test events of the workspace are in flight.
var ErrTooManyTests = errors.New("integration: too many test events in flight")

// tests counts the test events in flight of each workspace: an endpoint that hangs keeps
// one for as long as an attempt may take. The zero value is ready to use.
type tests struct {
	mu       sync.Mutex
	inFlight map[uuid.UUID]int
}

// enter reports whether one more may be sent. If so, leave is called when it has been.
func (t *tests) enter(workspaceID uuid.UUID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight[workspaceID] == maxTests {
		return false
	}
	if t.inFlight == nil {
		t.inFlight = map[uuid.UUID]int{}
	}
	t.inFlight[workspaceID]++
	return true
}

func (t *tests) leave(workspaceID uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight[workspaceID]--; t.inFlight[workspaceID] == 0 {
		delete(t.inFlight, workspaceID)
	}
}

// Ping sends webhook.ping to a webhook immediately and returns the attempt, which is
// listed among the deliveries and not retried. Nothing is sent to a temporary webhook. It
// fails with postgres.ErrNotFound, *token.MissingScopeError and ErrTooManyTests.
func (s *Service) Ping(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has) (sender.Attempt, error) {
	row, err := s.webhook(ctx, workspaceID, integrationID, has)
	if err != nil {
		return sender.Attempt{}, err
	}
	if !s.tests.enter(workspaceID) {
		return sender.Attempt{}, ErrTooManyTests
	}
	defer s.tests.leave(workspaceID)
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
	stored, err := db.New().WebhookDeliveryRecord(ctx, s.DB, db.WebhookDeliveryRecordParams{
		WorkspaceID: row.WorkspaceID, IntegrationID: row.ID, ID: deliveryID, EventSequence: sent.Sequence,
		Status: string(status), Attempts: raw, CreatedAt: now,
	})
	if err == nil && stored == 0 || postgres.Violates(err, db.WebhookDeliveriesIntegrationFkey) {
		return fmt.Errorf("webhook deleted while it was tested: %w", postgres.ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("record delivery: %w", err)
	}
	return nil
}
