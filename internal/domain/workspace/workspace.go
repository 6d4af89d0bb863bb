// Package workspace holds workspaces: each is a world of its own.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const maxNameRunes = 100

var (
	// ErrUnknown means that there is no workspace of this slug.
	ErrUnknown = errors.New("workspace: unknown slug")
	// ErrTaken means that another workspace has the slug.
	ErrTaken = errors.New("workspace: the slug is taken")
	// ErrSlug means that a text is no slug.
	ErrSlug = errors.New("workspace: a slug has 1 to 63 lower-case letters, digits and hyphens between them")
	// ErrName means that a name is empty or above 100 characters.
	ErrName = errors.New("workspace: a name has 1 to 100 characters")
)

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

// Create makes a workspace. It fails with ErrTaken, ErrSlug or ErrName.
func (s *Service) Create(ctx context.Context, slug, name string) (db.Workspace, error) {
	if n := utf8.RuneCountInString(name); n == 0 || n > maxNameRunes {
		return db.Workspace{}, ErrName
	}
	workspaceID, now := s.IDs.New()
	row, err := db.New().SystemWorkspaceCreate(ctx, s.DB, db.SystemWorkspaceCreateParams{ID: workspaceID, Slug: slug, Name: name, CreatedAt: now})
	switch {
	case postgres.Violates(err, db.WorkspacesSlugKey):
		return db.Workspace{}, fmt.Errorf("%w: %q", ErrTaken, slug)
	case postgres.Violates(err, db.WorkspacesSlugCheck):
		return db.Workspace{}, fmt.Errorf("%w: %q", ErrSlug, slug)
	case err != nil:
		return db.Workspace{}, fmt.Errorf("create workspace: %w", err)
	}
	return row, nil
}

// Ensure returns the workspace of a slug, and creates it where there is none.
func (s *Service) Ensure(ctx context.Context, slug, name string) (db.Workspace, error) {
	row, err := s.BySlug(ctx, slug)
	if !errors.Is(err, ErrUnknown) {
		return row, err
	}
	return s.Create(ctx, slug, name)
}

// SetRateLimit gives a workspace a limit of its own, in requests a minute for each
// route; 0 takes it away. Replicas follow within a second. It fails with ErrUnknown.
func (s *Service) SetRateLimit(ctx context.Context, slug string, perMinute int32) error {
	params := db.SystemWorkspaceSetRateLimitParams{Slug: slug}
	if perMinute > 0 {
		params.RateLimitPerMinute = &perMinute
	}
	changed, err := db.New().SystemWorkspaceSetRateLimit(ctx, s.DB, params)
	if err != nil {
		return fmt.Errorf("set rate limit: %w", err)
	}
	if changed == 0 {
		return fmt.Errorf("%w %q", ErrUnknown, slug)
	}
	return nil
}

// List returns all workspaces, by slug.
func (s *Service) List(ctx context.Context) ([]db.Workspace, error) {
	rows, err := db.New().SystemWorkspaceList(ctx, s.DB)
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	return rows, nil
}
