package knowledge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/language"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Loaded is a text with headings to index, for demo data and evaluations.
type Loaded struct {
	SourceID uuid.UUID
	FileName string
	Sections []extract.Section
}

// StoreFile stores the file of a text, in Markdown, so that its source can be refreshed.
func StoreFile(ctx context.Context, files blob.Store, workspaceID uuid.UUID, in Loaded) error {
	var b strings.Builder
	for _, section := range in.Sections {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", section.Heading, section.Text)
	}
	return files.Put(ctx, key(workspaceID, in.SourceID), strings.NewReader(b.String()), int64(b.Len()))
}

// Load stores a text as an uploaded file that was indexed, without the file (see StoreFile).
// Load is for texts of our own: untrusted files are read in the reader process (see Worker).
func Load(ctx context.Context, tx postgres.Tx, ids *id.Generator, workspaceID uuid.UUID, in Loaded) error {
	_, now := ids.New()
	kind, size, sum := string(extract.Markdown), int64(0), sha256.New()
	for _, section := range in.Sections {
		fmt.Fprintf(sum, "%s\x00%s\x00", section.Heading, section.Text)
		size += int64(len(section.Heading) + len(section.Text))
	}
	hash := sum.Sum(nil)
	source, err := db.New().KnowledgeSourceCreate(ctx, tx, db.KnowledgeSourceCreateParams{
		WorkspaceID: workspaceID, ID: in.SourceID, Kind: api.KnowledgeTypeUPLOAD, FileName: &in.FileName, ContentType: &kind,
		SizeBytes: &size, Sha256: hash, CreatedAt: now,
	})
	if err != nil {
		return fmt.Errorf("create source: %w", err)
	}
	passages := extract.Chunks(extract.Document{Sections: in.Sections})
	for i, one := range passages {
		in := language.Detect(one.Text)
		passages[i].HeadingStems, passages[i].Stems = language.Stems(one.Heading, in), language.Stems(one.Text, in)
	}
	page := indexed{ids: ids, url: in.FileName, hash: hash, passages: passages}
	if err := page.store(ctx, tx, source); err != nil {
		return err
	}
	err = db.New().KnowledgeSourceRecount(ctx, tx, db.KnowledgeSourceRecountParams{WorkspaceID: workspaceID, ID: source.ID, UpdatedAt: now})
	if err != nil {
		return fmt.Errorf("count passages: %w", err)
	}
	return nil
}
