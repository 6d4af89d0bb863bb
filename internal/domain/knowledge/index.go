package knowledge

import (
	"context"
	"fmt"
	"slices"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Each statement has a deadline. maxBatch is how many passages one stores, and maxDeleted
// how many pages one deletes, with up to 5,000 passages each.
const (
	maxBatch   = 500
	maxDeleted = 20
)

// indexed is a page that is ready to be stored in the index.
type indexed struct {
	ids      *id.Generator
	url      string
	hash     []byte
	passages []extract.Passage
}

// store replaces a page in the index.
func (page indexed) store(ctx context.Context, tx postgres.Tx, source db.KnowledgeSource) error {
	q := db.New()
	err := q.KnowledgeDocumentDelete(ctx, tx, db.KnowledgeDocumentDeleteParams{WorkspaceID: source.WorkspaceID, SourceID: source.ID, URL: page.url})
	if err != nil {
		return fmt.Errorf("replace page: %w", err)
	}
	err = q.KnowledgeDocumentCreate(ctx, tx, db.KnowledgeDocumentCreateParams{
		WorkspaceID: source.WorkspaceID, SourceID: source.ID, URL: page.url, ContentHash: page.hash,
	})
	if err != nil {
		return fmt.Errorf("store page: %w", err)
	}
	for batch := range slices.Chunk(page.passages, maxBatch) {
		if err := q.KnowledgeChunkAdd(ctx, tx, page.batch(batch, source)); err != nil {
			return fmt.Errorf("store passages: %w", err)
		}
	}
	return nil
}

func (page indexed) batch(passages []extract.Passage, source db.KnowledgeSource) db.KnowledgeChunkAddParams {
	p := db.KnowledgeChunkAddParams{
		WorkspaceID: source.WorkspaceID, SourceID: source.ID, DocumentURL: page.url, WorkspaceTerm: term(source.WorkspaceID),
	}
	for _, one := range passages {
		chunkID, _ := page.ids.New()
		p.IDs, p.Pages = append(p.IDs, chunkID), append(p.Pages, int32(one.Page))
		p.Headings, p.Contents = append(p.Headings, one.Heading), append(p.Contents, one.Text)
		p.HeadingStems, p.Stems = append(p.HeadingStems, one.HeadingStems), append(p.Stems, one.Stems)
	}
	return p
}

// storeAlone replaces the whole index of a source with one file. The source may be indexed
// under another name, and by another job at the same time: the lock puts one after the
// other.
func (page indexed) storeAlone(ctx context.Context, tx postgres.Tx, job db.KnowledgeJob, source db.KnowledgeSource) error {
	q := db.New()
	if _, err := q.KnowledgeSourceLock(ctx, tx, db.KnowledgeSourceLockParams{WorkspaceID: source.WorkspaceID, ID: source.ID}); err != nil {
		return fmt.Errorf("lock source: %w", err)
	}
	if _, err := deleteUnvisited(ctx, tx, job, source); err != nil {
		return err
	}
	return page.store(ctx, tx, source)
}

// deleteUnvisited removes pages from the index that a job has not visited, up to
// maxDeleted. It returns how many.
func deleteUnvisited(ctx context.Context, on db.DBTX, job db.KnowledgeJob, source db.KnowledgeSource) (int64, error) {
	deleted, err := db.New().KnowledgeDocumentDeleteUnvisited(ctx, on, db.KnowledgeDocumentDeleteUnvisitedParams{
		WorkspaceID: source.WorkspaceID, SourceID: source.ID, JobID: job.ID, MaxRows: maxDeleted,
	})
	if err != nil {
		return 0, fmt.Errorf("delete pages that are gone: %w", err)
	}
	return deleted, nil
}
