// Package channel lists channels, through which contacts write to a workspace.
package channel

import (
	"context"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Service reads channels.
type Service struct {
	DB    *postgres.DB
	Pages *page.Codec
}

// List returns a page of channels, newest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Channel], error) {
	list := page.List{Workspace: workspaceID, Name: "channels"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Channel, error) {
		return db.New().ChannelList(ctx, s.DB, db.ChannelListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(c db.Channel) uuid.UUID { return c.ID })
}
