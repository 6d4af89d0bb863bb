// Package workspace holds workspaces: each is a world of its own.
package workspace

import (
	"context"
	"errors"
	"fmt"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/id"
	"github.com/avelto/convo/internal/postgres"
)

// ErrUnknown means that there is no workspace of this slug.
var ErrUnknown = errors.New("workspace: unknown slug")

// Service finds and creates workspaces.
type Service struct {
	DB  *postgres.DB
	IDs *id.Generator
}

// BySlug returns a workspace, or ErrUnknown.
func (s *Service) BySlug(ctx context.Context, slug string) (db.Workspace, error) {
	row, err := db.New().SystemWorkspaceBySlug(ctx, s.DB, db.SystemWorkspaceBySlugParams{Slug: slug})
	if postgres.IsNotFound(err) {
		return db.Workspace{}, fmt.Errorf("%w %q", ErrUnknown, slug)
	} else if err != nil {
		return db.Workspace{}, fmt.Errorf("look up workspace: %w", err)
	}
	return row, nil
}

// Ensure returns the workspace of a slug, and creates it where there is none.
func (s *Service) Ensure(ctx context.Context, slug, name string) (db.Workspace, error) {
	row, err := s.BySlug(ctx, slug)
	if !errors.Is(err, ErrUnknown) {
		return row, err
	}
	workspaceID, now := s.IDs.New()
	row, err = db.New().SystemWorkspaceCreate(ctx, s.DB, db.SystemWorkspaceCreateParams{ID: workspaceID, Slug: slug, Name: name, CreatedAt: now})
	if err != nil {
		return db.Workspace{}, fmt.Errorf("create workspace: %w", err)
	}
	return row, nil
}
