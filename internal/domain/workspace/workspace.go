// Package workspace manages workspaces, which share no data.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

const maxNameRunes = 100

var (
	// ErrUnknown means that no workspace has this slug.
	ErrUnknown = errors.New("workspace: unknown slug")
	// ErrTaken means that another workspace has this slug.
	ErrTaken = errors.New("workspace: the slug is already taken")
	// ErrSlug means that a slug is not valid.
	ErrSlug = errors.New("workspace: a slug must have 1 to 63 lowercase letters, digits or hyphens, and must not begin or end with a hyphen")
	// ErrName means that a name is empty or longer than 100 characters.
	ErrName = errors.New("workspace: a name must have 1 to 100 characters")
)

// Service finds and creates workspaces.
type Service struct {
	DB  *postgres.DB
	IDs *id.Generator
}

// BySlug returns the workspace with this slug, or ErrUnknown.
func (s *Service) BySlug(ctx context.Context, slug string) (db.Workspace, error) {
	row, err := db.New().SystemWorkspaceBySlug(ctx, s.DB, db.SystemWorkspaceBySlugParams{Slug: slug})
	if postgres.IsNotFound(err) {
		return db.Workspace{}, fmt.Errorf("%w %q", ErrUnknown, slug)
	} else if err != nil {
		return db.Workspace{}, fmt.Errorf("look up workspace: %w", err)
	}
	return row, nil
}

// Create creates a workspace. It fails with ErrTaken, ErrSlug or ErrName.
func (s *Service) Create(ctx context.Context, slug, name string) (db.Workspace, error) {
	name, err := label.Clean(name)
	if err != nil {
		return db.Workspace{}, fmt.Errorf("%w: %w", ErrName, err)
	}
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

// Ensure returns the workspace with this slug, and creates it if it does not exist.
func (s *Service) Ensure(ctx context.Context, slug, name string) (db.Workspace, error) {
	row, err := s.BySlug(ctx, slug)
	if !errors.Is(err, ErrUnknown) {
		return row, err
	}
	row, err = s.Create(ctx, slug, name)
	if errors.Is(err, ErrTaken) { // another process has created it since
		return s.BySlug(ctx, slug)
	}
	return row, err
}

// SetRateLimit sets a workspace's own limit, in requests per minute and route; 0 restores
// the default. It takes effect on all replicas within a second. It fails with ErrUnknown.
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

// RequireScopesForKnowledge sets whether changes to the knowledge of a workspace need the
// scope agents:write. Replicas apply it within a second. It fails with ErrUnknown.
func (s *Service) RequireScopesForKnowledge(ctx context.Context, slug string, require bool) error {
	changed, err := db.New().SystemWorkspaceSetKnowledgeScopes(ctx, s.DB, db.SystemWorkspaceSetKnowledgeScopesParams{Slug: slug, Require: require})
	if err != nil {
		return fmt.Errorf("set knowledge scopes: %w", err)
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
