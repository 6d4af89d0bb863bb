package channel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// ErrUnusable means that a channel has no provider in this version, or that its
// credentials cannot be decrypted.
var ErrUnusable = errors.New("channel: unusable")

// Opened is a channel with its provider, ready to receive and to send.
type Opened struct {
	Row      db.Channel
	Channel  provider.Channel
	Provider provider.Provider
}

// Opener opens channels for what receives and sends through them.
type Opener struct {
	DB        *postgres.DB
	Box       *seal.Box
	Providers provider.Registry
	// HookBase is the public URL of the hooks; the channel's ID follows.
	HookBase string
}

// Open decrypts the credentials of a channel. It fails with ErrUnusable.
func (o *Opener) Open(row db.Channel) (Opened, error) {
	found, ok := o.Providers[row.Type]
	if !ok {
		return Opened{}, fmt.Errorf("%w: no provider for %s", ErrUnusable, row.Type)
	}
	credentials, err := o.credentials(row)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: credentials of channel %s: %w", ErrUnusable, row.ID, err)
	}
	return Opened{Row: row, Provider: found, Channel: o.seen(row, credentials)}, nil
}

// seen returns a channel as its provider sees it.
func (o *Opener) seen(row db.Channel, credentials map[string]string) provider.Channel {
	channel := provider.Channel{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Type: row.Type, Name: row.Name, Config: row.Config, State: row.State,
		Credentials: credentials, HookURL: o.HookURL(row.ID),
	}
	if row.APIBaseURL != nil {
		channel.APIBaseURL = *row.APIBaseURL
	}
	return channel
}

// HookURL returns the public URL of a channel's hook.
func (o *Opener) HookURL(channelID uuid.UUID) string { return o.HookBase + channelID.String() }

// CredentialsContext is the place that the credentials of a channel are sealed for.
func CredentialsContext(workspaceID, channelID uuid.UUID) []byte {
	return append(append([]byte("channel credentials"), workspaceID[:]...), channelID[:]...)
}

func (o *Opener) credentials(row db.Channel) (map[string]string, error) {
	credentials := map[string]string{}
	if row.Credentials == nil {
		return credentials, nil
	}
	raw, err := o.Box.Open(row.Credentials, CredentialsContext(row.WorkspaceID, row.ID))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(raw), &credentials); err != nil {
		return nil, errors.New("not a JSON object of texts") // the cause quotes them
	}
	return credentials, nil
}

// sealed encrypts the credentials of a channel; none are null.
func (o *Opener) sealed(workspaceID, channelID uuid.UUID, credentials map[string]string) ([]byte, error) {
	if len(credentials) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(credentials)
	if err != nil {
		return nil, fmt.Errorf("encode credentials: %w", err)
	}
	return o.Box.Seal(string(raw), CredentialsContext(workspaceID, channelID)), nil
}

// ForHook opens the channel of a hook, which names nothing but its ID. It fails with
// postgres.ErrNotFound if there is none, or if it receives nothing.
func (o *Opener) ForHook(ctx context.Context, channelID uuid.UUID) (Opened, error) {
	row, err := db.New().SystemChannelGet(ctx, o.DB, db.SystemChannelGetParams{ID: channelID})
	if err := postgres.Found("get channel of hook", err); err != nil {
		return Opened{}, err
	}
	if row.DeletedAt != nil || row.Status == api.ChannelStatusDISABLED || o.Providers[row.Type] == nil {
		return Opened{}, postgres.ErrNotFound
	}
	return o.Open(row)
}

// SetState stores what a connection of a channel keeps.
func (o *Opener) SetState(ctx context.Context, workspaceID, channelID uuid.UUID, state json.RawMessage) error {
	if err := db.New().ChannelSetState(ctx, o.DB, db.ChannelSetStateParams{WorkspaceID: workspaceID, ID: channelID, State: state}); err != nil {
		return fmt.Errorf("store state of channel: %w", err)
	}
	return nil
}
