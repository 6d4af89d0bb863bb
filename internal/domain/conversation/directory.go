package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Operators returns a page of operators, latest first, or page.ErrInvalidCursor.
func (s *Service) Operators(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Operator], error) {
	list := page.List{Workspace: workspaceID, Name: "operators"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Operator, error) {
		return db.New().OperatorList(ctx, s.DB, db.OperatorListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(o db.Operator) uuid.UUID { return o.ID })
}

// Tags returns a page of tags, latest first, or page.ErrInvalidCursor.
func (s *Service) Tags(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Tag], error) {
	list := page.List{Workspace: workspaceID, Name: "tags"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Tag, error) {
		return db.New().TagList(ctx, s.DB, db.TagListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(t db.Tag) uuid.UUID { return t.ID })
}

// Tag returns a tag, or postgres.ErrNotFound.
func (s *Service) Tag(ctx context.Context, workspaceID, tagID uuid.UUID) (db.Tag, error) {
	row, err := db.New().TagGet(ctx, s.DB, db.TagGetParams{WorkspaceID: workspaceID, ID: tagID})
	return row, postgres.Found("get tag", err)
}

// CreateTag stores a tag. It returns ErrTagExists, label.ErrEmpty and label.ErrInvisible.
func (s *Service) CreateTag(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, name string) (db.Tag, error) {
	name, err := label.Clean(name)
	if err != nil {
		return db.Tag{}, err
	}
	tagID, now := s.IDs.New()
	row, err := db.New().TagCreate(ctx, on, db.TagCreateParams{WorkspaceID: workspaceID, ID: tagID, Name: name, NameKey: label.Key(name), CreatedAt: now})
	if postgres.Violates(err, db.TagsNameKey) {
		return db.Tag{}, ErrTagExists
	} else if err != nil {
		return db.Tag{}, fmt.Errorf("create tag: %w", err)
	}
	return row, nil
}
