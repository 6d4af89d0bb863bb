//go:build linux

package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/scripts/ledger/check"
)

const (
	claimWorkers  = 3
	claimLimit    = 3
	claimBatch    = 20
	claimPause    = 60 * time.Millisecond
	leaseTime     = 400 * time.Millisecond
	claimTimeout  = 5 * time.Second
	claimedFinish = 4 // of five claimed deliveries are completed
)

// Claims has workers that claim deliveries with the statements of the real ones. The
// deliveries belong to a disabled webhook, which the real ones leave alone.
type Claims struct {
	DB                       *postgres.DB
	Workspace, IntegrationID uuid.UUID

	mu    sync.Mutex
	calls []check.ClaimCall
}

// Run claims until ctx ends.
func (c *Claims) Run(ctx context.Context) {
	var running sync.WaitGroup
	for worker := range claimWorkers {
		running.Go(func() {
			for n := 0; wait(ctx, claimPause); n++ {
				if worker == 0 && n%claimBatch == 0 {
					_ = c.add(ctx) // during an outage there are fewer
				}
				c.claim(ctx, worker)
			}
		})
	}
	running.Wait()
}

// add adds deliveries.
func (c *Claims) add(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	_, err := c.DB.Exec(ctx, `INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
		SELECT $1, $2, gen_random_uuid(), 1, now(), now() FROM generate_series(1, $3::integer)`, c.Workspace, c.IntegrationID, claimBatch)
	return err
}

// claim claims deliveries and completes them, returns them or, as a worker that is lost,
// does neither.
func (c *Claims) claim(ctx context.Context, worker int) {
	calling, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	from := time.Now()
	now := from.Truncate(time.Millisecond)
	until := now.Add(leaseTime)
	rows, err := db.New().SystemWebhookDeliveryClaim(calling, c.DB, db.SystemWebhookDeliveryClaimParams{
		Now: now, Until: until, WorkspaceIDs: []uuid.UUID{c.Workspace}, IntegrationIDs: []uuid.UUID{c.IntegrationID}, Limits: []int32{claimLimit},
	})
	if err != nil {
		return
	}
	span := check.Span{Client: worker, From: from, To: time.Now()}
	for _, row := range rows {
		c.record(check.ClaimCall{Span: span, Delivery: row.ID.String(), Action: check.ClaimTake, Now: now, Until: until})
	}
	if !wait(ctx, claimPause) {
		return
	}
	for _, row := range rows {
		c.end(calling, worker, row, until)
	}
}

func (c *Claims) end(ctx context.Context, worker int, row db.SystemWebhookDeliveryClaimRow, until time.Time) {
	action, from := check.ClaimComplete, time.Now()
	var err error
	switch choice := rand.IntN(claimedFinish + 2); {
	case choice < claimedFinish:
		err = db.New().SystemWebhookDeliveryAcknowledge(ctx, c.DB, db.SystemWebhookDeliveryAcknowledgeParams{
			WorkspaceIDs: []uuid.UUID{c.Workspace}, IntegrationIDs: []uuid.UUID{c.IntegrationID}, IDs: []uuid.UUID{row.ID},
			Statuses: []string{"SUCCEEDED"}, NextAttempts: []time.Time{from}, Attempts: []string{"[]"},
		})
	case choice == claimedFinish && time.Until(until) > leaseTime/2:
		action = check.ClaimReturn
		err = db.New().SystemWebhookDeliveryRequeue(ctx, c.DB, db.SystemWebhookDeliveryRequeueParams{
			WorkspaceIDs: []uuid.UUID{c.Workspace}, IntegrationIDs: []uuid.UUID{c.IntegrationID}, IDs: []uuid.UUID{row.ID},
		})
	default:
		return
	}
	if err == nil {
		c.record(check.ClaimCall{Span: check.Span{Client: worker, From: from, To: time.Now()}, Delivery: row.ID.String(), Action: action})
	}
}

func (c *Claims) record(call check.ClaimCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// Calls returns the history. Call it when the workers have ended.
func (c *Claims) Calls() []check.ClaimCall { return c.calls }

// OpenClaims returns claims on a database.
func OpenClaims(ctx context.Context, databaseURL string, workspace, integration uuid.UUID) (*Claims, error) {
	on, err := postgres.Open(ctx, databaseURL, postgres.Options{MaxConns: claimWorkers, StatementTimeout: claimTimeout})
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return &Claims{DB: on, Workspace: workspace, IntegrationID: integration}, nil
}
