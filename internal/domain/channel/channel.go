// Package channel holds the rules of channels, through which contacts write to a
// workspace: their settings, their sealed credentials and their connection to providers.
package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/share"
)

// MaxChannels is how many channels a workspace can have. Some keep a connection open.
const MaxChannels = 200

// Jobs puts work into the queue within a transaction. A river.Client does.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Schema returns what is wrong with settings by the schemas of a channel type.
type Schema func(kind api.ChannelType, config json.RawMessage, credentials map[string]string) []provider.Invalid

// Service reads and changes channels.
type Service struct {
	DB     *postgres.DB
	IDs    *id.Generator
	Clock  clock.Clock
	Pages  *page.Codec
	Opener *Opener
	Guard  *egress.Guard
	Schema Schema
	Jobs   Jobs
	Log    *slog.Logger
	// Calls bounds the calls of providers for which requests wait.
	Calls *share.Shares
}

// List returns a page of channels, newest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Channel], error) {
	list := page.List{Workspace: workspaceID, Name: "channels"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Channel, error) {
		return db.New().ChannelList(ctx, s.DB, db.ChannelListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(c db.Channel) uuid.UUID { return c.ID })
}

// Detail is a channel with the URL of its hook, which is empty if its type uses none.
type Detail struct {
	db.Channel

	HookURL string
}

// Get returns a channel, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, channelID uuid.UUID) (Detail, error) {
	row, err := get(ctx, s.DB, workspaceID, channelID)
	return s.detail(row), err
}

func get(ctx context.Context, on postgres.Conn, workspaceID, channelID uuid.UUID) (db.Channel, error) {
	row, err := db.New().ChannelGet(ctx, on, db.ChannelGetParams{WorkspaceID: workspaceID, ID: channelID})
	if err == nil && row.DeletedAt != nil {
		err = postgres.ErrNotFound
	}
	return row, postgres.Found("get channel", err)
}

func (s *Service) detail(row db.Channel) Detail {
	if s.Opener.Providers.Rules(row.Type).Hook {
		return Detail{Channel: row, HookURL: s.Opener.HookURL(row.ID)}
	}
	return Detail{Channel: row}
}

// Delete deletes a channel, or fails with postgres.ErrNotFound. Its conversations stay. A
// job disconnects it from its provider, and then removes its credentials.
func (s *Service) Delete(ctx context.Context, on postgres.Conn, workspaceID, channelID uuid.UUID) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		gone, err := db.New().ChannelDelete(ctx, tx, db.ChannelDeleteParams{WorkspaceID: workspaceID, ID: channelID, DeletedAt: new(s.Clock.Now())})
		if err != nil {
			return fmt.Errorf("delete channel: %w", err)
		}
		if gone == 0 {
			return postgres.ErrNotFound
		}
		return s.disconnectLater(ctx, tx, workspaceID, channelID)
	})
}
