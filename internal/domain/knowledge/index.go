package knowledge

import (
	"context"
	"fmt"
	"strings"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/language"
	"github.com/avelto/convo/internal/platform/postgres"
)

// ownLanguage is the length in bytes from which the language of a passage is detected.
// Shorter passages have the language of their document.
const ownLanguage = 200

// indexed is a page that is ready to be stored in the index.
type indexed struct {
	url    string
	hash   []byte
	chunks db.KnowledgeChunkAddParams
}

// index splits a page into passages and stems their words.
func (w *Worker) index(address string, hash []byte, document extract.Document) indexed {
	page := indexed{url: address, hash: hash}
	var whole strings.Builder
	chunks := extract.Chunks(document)
	for _, chunk := range chunks[:min(len(chunks), 8)] {
		whole.WriteString(chunk.Text)
	}
	general := language.Detect(whole.String())
	c := &page.chunks
	for _, chunk := range chunks {
		in := general
		if len(chunk.Text) >= ownLanguage {
			if own := language.Detect(chunk.Text); own != language.Other {
				in = own
			}
		}
		chunkID, _ := w.IDs.New()
		c.IDs, c.Pages = append(c.IDs, chunkID), append(c.Pages, int32(chunk.Page))
		c.Headings, c.Contents = append(c.Headings, chunk.Heading), append(c.Contents, chunk.Text)
		c.HeadingStems, c.Stems = append(c.HeadingStems, language.Stems(chunk.Heading, in)), append(c.Stems, language.Stems(chunk.Text, in))
	}
	return page
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
	page.chunks.WorkspaceID, page.chunks.SourceID = source.WorkspaceID, source.ID
	page.chunks.DocumentURL, page.chunks.WorkspaceTerm = page.url, term(source.WorkspaceID)
	if err := q.KnowledgeChunkAdd(ctx, tx, page.chunks); err != nil {
		return fmt.Errorf("store passages: %w", err)
	}
	return nil
}

// storeAlone replaces the whole index of a source with one file. The source may be indexed
// under another name, and by another job at the same time: the lock puts one after the
// other.
func (page indexed) storeAlone(ctx context.Context, tx postgres.Tx, job db.KnowledgeJob, source db.KnowledgeSource) error {
	q := db.New()
	if _, err := q.KnowledgeSourceLock(ctx, tx, db.KnowledgeSourceLockParams{WorkspaceID: source.WorkspaceID, ID: source.ID}); err != nil {
		return fmt.Errorf("lock source: %w", err)
	}
	err := q.KnowledgeDocumentDeleteUnvisited(ctx, tx, db.KnowledgeDocumentDeleteUnvisitedParams{WorkspaceID: source.WorkspaceID, SourceID: source.ID, JobID: job.ID})
	if err != nil {
		return fmt.Errorf("replace file: %w", err)
	}
	return page.store(ctx, tx, source)
}
