package knowledge

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/postgres"
)

// FileQueue is the queue of the jobs that delete files.
const FileQueue = "knowledge_files"

// deleteTimeout bounds the deletion of a file.
const deleteTimeout = 5 * time.Second

// DeleteFile is the River job that deletes the file of a source. It is inserted in the
// transaction that deletes the source, so the file is deleted even if the server crashes
// right after the commit or the storage is unavailable for a while.
type DeleteFile struct {
	WorkspaceID uuid.UUID `json:"workspaceId"`
	SourceID    uuid.UUID `json:"sourceId"`
}

// Kind names the job in the queue.
func (DeleteFile) Kind() string { return "knowledge_file_delete" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (DeleteFile) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: FileQueue} }

// DeleteFileWorker is River's worker for DeleteFile.
type DeleteFileWorker struct {
	river.WorkerDefaults[DeleteFile]

	Blobs blob.Store
}

// Timeout implements river.Worker.
func (*DeleteFileWorker) Timeout(*river.Job[DeleteFile]) time.Duration { return deleteTimeout }

// Work implements river.Worker.
func (w *DeleteFileWorker) Work(ctx context.Context, queued *river.Job[DeleteFile]) error {
	return w.Blobs.Delete(ctx, key(queued.Args.WorkspaceID, queued.Args.SourceID))
}

// deleteSource marks a source as deleted, and queues the deletion of its file. It fails
// with postgres.ErrNotFound.
func (s *Service) deleteSource(ctx context.Context, tx postgres.Tx, workspaceID, sourceID uuid.UUID) error {
	source, err := db.New().KnowledgeSourceDelete(ctx, tx, db.KnowledgeSourceDeleteParams{WorkspaceID: workspaceID, ID: sourceID, DeletedAt: s.Clock.Now()})
	if err := postgres.Found("delete source", err); err != nil || source.Type != api.KnowledgeTypeUPLOAD {
		return err
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, DeleteFile{WorkspaceID: workspaceID, SourceID: sourceID}, nil); err != nil {
		return fmt.Errorf("queue deletion of file: %w", err)
	}
	return nil
}

// key is where the file of a source is stored.
func key(workspaceID, sourceID uuid.UUID) string {
	return workspaceID.String() + "/" + sourceID.String()
}
