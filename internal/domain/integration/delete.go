package integration

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// PurgeQueue is the queue of the jobs that delete what belonged to deleted integrations.
const PurgeQueue = "integration_purge"

const (
	// purgeRows and purgeTimeout bound each statement, and with it how long rows stay
	// locked and how far a replica lags behind.
	purgeRows    = 5000
	purgeTimeout = 10 * time.Second
	// purgeBatches is how many batches a job deletes before it lets others have a turn.
	purgeBatches = 20
)

// Delete deletes an integration. Its deliveries, of which there may be millions, are
// deleted by a job. It fails with postgres.ErrNotFound and *token.MissingScopeError.
func (s *Service) Delete(ctx context.Context, on postgres.Conn, workspaceID, integrationID uuid.UUID, has Has) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if _, err := s.lock(ctx, tx, workspaceID, integrationID, has); err != nil {
			return err
		}
		err := db.New().IntegrationDelete(ctx, tx, db.IntegrationDeleteParams{WorkspaceID: workspaceID, ID: integrationID, Now: s.Clock.Now()})
		if err != nil {
			return fmt.Errorf("delete integration: %w", err)
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, Purge{WorkspaceID: workspaceID, IntegrationID: integrationID}, nil); err != nil {
			return fmt.Errorf("queue purge of integration: %w", err)
		}
		return nil
	})
}

// Purge is the River job that removes a deleted integration and its deliveries from the
// database.
type Purge struct {
	WorkspaceID   uuid.UUID `json:"workspaceId"`
	IntegrationID uuid.UUID `json:"integrationId"`
}

// Kind names the job in the queue.
func (Purge) Kind() string { return "integration_purge" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Purge) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: PurgeQueue} }

// PurgeWorker is River's worker for Purge.
type PurgeWorker struct {
	river.WorkerDefaults[Purge]

	DB *postgres.DB
}

// Timeout implements river.Worker: each statement has its own.
func (*PurgeWorker) Timeout(*river.Job[Purge]) time.Duration { return -1 }

// Work implements river.Worker.
func (w *PurgeWorker) Work(ctx context.Context, queued *river.Job[Purge]) error {
	for range purgeBatches {
		deleted, err := w.deleteBatch(ctx, queued.Args)
		if err != nil {
			return fmt.Errorf("delete deliveries: %w", err)
		}
		if deleted < purgeRows {
			return w.remove(ctx, queued.Args)
		}
	}
	return river.JobSnooze(0)
}

func (w *PurgeWorker) deleteBatch(ctx context.Context, of Purge) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	return db.New().WebhookDeliveryDeleteSome(ctx, w.DB, db.WebhookDeliveryDeleteSomeParams{
		WorkspaceID: of.WorkspaceID, IntegrationID: of.IntegrationID, MaxRows: purgeRows,
	})
}

func (w *PurgeWorker) remove(ctx context.Context, of Purge) error {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	err := db.New().IntegrationRemove(ctx, w.DB, db.IntegrationRemoveParams{WorkspaceID: of.WorkspaceID, ID: of.IntegrationID})
	if err != nil {
		return fmt.Errorf("remove integration: %w", err)
	}
	return nil
}
