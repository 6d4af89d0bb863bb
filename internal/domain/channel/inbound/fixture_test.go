package inbound_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/testing/seed"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// deliver stores what a connection has received.
type deliver = func(ctx context.Context, items []provider.Item, state json.RawMessage) error

// script is a provider whose downloads and connections do what a test says.
type script struct {
	provider.Provider // for the methods that these tests do not call

	fetch  func(ctx context.Context, c provider.Channel, externalID string) (provider.File, error)
	listen func(ctx context.Context, c provider.Channel, deliver deliver) error
}

func (*script) Type() api.ChannelType { return api.ChannelTypeEMAIL }
func (*script) Rules() provider.Rules { return provider.Rules{MaxLength: 4096} }

// Fetch implements provider.Fetcher.
func (s *script) Fetch(ctx context.Context, c provider.Channel, externalID string) (provider.File, error) {
	return s.fetch(ctx, c, externalID)
}

// Listen implements provider.Listener.
func (s *script) Listen(ctx context.Context, c provider.Channel, deliver func(ctx context.Context, items []provider.Item, state json.RawMessage) error) error {
	return s.listen(ctx, c, deliver)
}

type fixture struct {
	*seed.World

	script *script
	box    *seal.Box
	blobs  blob.Store
	engine *inbound.Engine
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t), script: &script{}}
	f.Clock.Advance(123_456 * time.Nanosecond) // the database stores milliseconds
	var err error
	f.box, err = seal.New([]byte("a key that is long enough for this"), "test")
	require.NoError(t, err)
	f.blobs, err = blob.Directory(t.TempDir())
	require.NoError(t, err)
	registry := provider.NewRegistry(f.script)
	f.engine = &inbound.Engine{
		DB: f.DB, IDs: f.IDs, Blobs: f.blobs, Log: slog.New(slog.DiscardHandler),
		Channels: &channel.Opener{DB: f.DB, Box: f.box, Providers: registry},
		Conversations: &conversation.Service{
			DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages, Events: f.Recorder,
			Providers: registry, Addresses: conversation.NewAddresses([]byte("fixture")),
		},
	}
	return f
}

// connect inserts a channel with credentials, and returns it.
func (f *fixture) connect(t *testing.T, space uuid.UUID) channel.Opened {
	t.Helper()
	id := f.Channel(t, space, f.Agent(t, space, "Concierge"), api.ChannelTypeEMAIL)
	f.Exec(t, "UPDATE channels SET credentials = $1 WHERE id = $2", f.box.Seal("{}", channel.CredentialsContext(space, id)), id)
	opened, err := f.engine.Channels.Open(f.row(t, space, id))
	require.NoError(t, err)
	return opened
}

func (f *fixture) row(t *testing.T, space, id uuid.UUID) db.Channel {
	t.Helper()
	row, err := db.New().ChannelGet(t.Context(), f.DB, db.ChannelGetParams{WorkspaceID: space, ID: id})
	require.NoError(t, err)
	return row
}

// receive stores a message with a file for each ID.
func (f *fixture) receive(t *testing.T, through channel.Opened, files ...string) {
	t.Helper()
	message := provider.Message{ExternalID: uuid.NewString(), Text: "Hi", From: provider.Identity{ExternalID: uuid.NewString()}}
	for _, file := range files {
		message.Attachments = append(message.Attachments, provider.Attachment{Type: provider.Other, ExternalID: file, SizeBytes: -1})
	}
	require.NoError(t, f.engine.Store(t.Context(), through, []provider.Item{message}))
}

func (f *fixture) count(t *testing.T, space uuid.UUID, state api.AttachmentState) int {
	t.Helper()
	return f.Count(t, "SELECT count(*) FROM attachments WHERE workspace_id = $1 AND state = $2", space, state)
}

func (f *fixture) fetcher() *inbound.Fetcher {
	return &inbound.Fetcher{
		DB: f.DB, Channels: f.engine.Channels, Conversations: f.engine.Conversations, Blobs: f.blobs, IDs: f.IDs, Clock: f.Clock,
		Log: slog.New(slog.DiscardHandler), Wake: wake.NewSignal(), Poll: 5 * time.Millisecond,
	}
}

// run runs fn until the test ends, or until the returned function is called.
func run(t *testing.T, fn func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { fn(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond)
}

// file is a file of a provider.
func file(content io.Reader) provider.File {
	return provider.File{ReadCloser: io.NopCloser(content), SizeBytes: -1}
}
