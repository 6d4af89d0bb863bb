package widget

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// uploadsKept is how long files wait to be sent.
	uploadsKept  = 24 * time.Hour
	sweepEvery   = time.Hour
	sweepTimeout = 10 * time.Minute
	sweepBatch   = 100
)

// Sweep is the job that deletes files that were not sent in time.
type Sweep struct{}

// Kind names the job in the queue.
func (Sweep) Kind() string { return "widget_sweep" }

// SweepSchedule runs the job every hour.
func SweepSchedule() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(sweepEvery), func() (river.JobArgs, *river.InsertOpts) {
		return Sweep{}, &river.InsertOpts{Queue: channel.Queue, UniqueOpts: river.UniqueOpts{ByPeriod: sweepEvery}}
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// SweepWorker works on Sweep jobs.
type SweepWorker struct {
	river.WorkerDefaults[Sweep]

	DB    *postgres.DB
	Clock clock.Clock
	Blobs blob.Store
}

// Timeout implements river.Worker.
func (*SweepWorker) Timeout(*river.Job[Sweep]) time.Duration { return sweepTimeout }

// Work implements river.Worker.
func (w *SweepWorker) Work(ctx context.Context, _ *river.Job[Sweep]) error {
	for {
		rows, err := db.New().SystemWidgetUploadListOld(ctx, w.DB, db.SystemWidgetUploadListOldParams{Before: w.Clock.Now().Add(-uploadsKept), MaxRows: sweepBatch})
		if err != nil {
			return fmt.Errorf("list old uploads: %w", err)
		}
		for _, row := range rows {
			if err := w.delete(ctx, row); err != nil {
				return err
			}
		}
		if len(rows) < sweepBatch {
			return nil
		}
	}
}

// delete deletes the row first: once it is gone, no message can take the file.
func (w *SweepWorker) delete(ctx context.Context, row db.WidgetUpload) error {
	gone, err := db.New().WidgetUploadDeleteOld(ctx, w.DB, db.WidgetUploadDeleteOldParams{WorkspaceID: row.WorkspaceID, ID: row.ID})
	if err != nil {
		return fmt.Errorf("delete upload: %w", err)
	}
	if gone == 0 {
		return nil // sent meanwhile
	}
	if err := w.Blobs.Delete(ctx, row.BlobKey); err != nil {
		return fmt.Errorf("delete file: %w", err)
	}
	return nil
}
