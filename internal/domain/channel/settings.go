package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Settings are the settings of a channel. Config is a JSON object, nil for an empty one.
type Settings struct {
	Type        api.ChannelType
	Name        string
	AgentID     uuid.UUID
	Config      json.RawMessage
	Credentials map[string]string
	APIBaseURL  *string

	// withheld are stored credentials that a change must set again; see Service.withhold.
	withheld map[string]string
}

// Create stores a channel that is not connected yet: see Check. It fails with
// *UnavailableError, *InvalidError, *UnknownAgentError, ErrTooMany, label.ErrEmpty or
// label.ErrInvisible.
func (s *Service) Create(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, in Settings) (created Detail, err error) {
	channelID, now := s.IDs.New()
	in, err = s.checked(workspaceID, channelID, in)
	if err != nil {
		return Detail{}, err
	}
	credentials, err := s.Opener.sealed(workspaceID, channelID, in.Credentials)
	if err != nil {
		return Detail{}, err
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if err := db.New().WorkspaceLock(ctx, tx, db.WorkspaceLockParams{WorkspaceID: workspaceID}); err != nil {
			return fmt.Errorf("lock workspace: %w", err)
		}
		count, err := db.New().ChannelCount(ctx, tx, db.ChannelCountParams{WorkspaceID: workspaceID})
		if err != nil {
			return fmt.Errorf("count channels: %w", err)
		}
		if count >= MaxChannels {
			return ErrTooMany
		}
		row, err := db.New().ChannelCreate(ctx, tx, db.ChannelCreateParams{
			WorkspaceID: workspaceID, ID: channelID, Type: in.Type, Name: in.Name, AgentID: in.AgentID, Config: in.Config, Credentials: credentials,
			APIBaseURL: in.APIBaseURL, ErrorCode: string(api.ChannelErrorCodeNotConnected), ErrorMessage: notConnected, CreatedAt: now,
		})
		created = s.detail(row)
		return stored(err, in.AgentID)
	})
	return created, err
}

// stored explains the error of a statement that stores a channel.
func stored(err error, agentID uuid.UUID) error {
	if postgres.Violates(err, db.ChannelsAgentFkey) {
		return &UnknownAgentError{ID: agentID}
	} else if err != nil {
		return fmt.Errorf("store channel: %w", err)
	}
	return nil
}

// checked returns settings that the provider can work with, with those that it fills in.
func (s *Service) checked(workspaceID, channelID uuid.UUID, in Settings) (Settings, error) {
	kind, ok := s.Opener.Providers[in.Type]
	if !ok {
		return in, &UnavailableError{Type: in.Type}
	}
	name, err := label.Clean(in.Name)
	if err != nil {
		return in, err
	}
	in.Name = name
	if len(in.Config) == 0 {
		in.Config = json.RawMessage("{}")
	}
	if in.Credentials == nil {
		in.Credentials = map[string]string{}
	}
	row := db.Channel{WorkspaceID: workspaceID, ID: channelID, Type: in.Type, Name: in.Name, Config: in.Config, APIBaseURL: in.APIBaseURL, State: []byte("{}")}
	if completer, ok := kind.(provider.Completer); ok {
		completer.Complete(s.Opener.seen(row, in.Credentials))
	}
	if missing := in.missing(); len(missing) > 0 {
		return in, &InvalidError{Invalid: missing}
	}
	invalid := s.Schema(in.Type, in.Config, in.Credentials)
	if in.APIBaseURL != nil {
		base := trimmed(in.APIBaseURL)
		in.APIBaseURL, row.APIBaseURL = &base, &base
		if reason := s.Guard.CheckURL(base); reason != "" {
			invalid = append(invalid, provider.Invalid{Pointer: "/apiBaseUrl", Message: reason})
		}
	}
	if len(invalid) == 0 {
		invalid = kind.Validate(s.Opener.seen(row, in.Credentials))
	}
	if len(invalid) > 0 {
		return in, &InvalidError{Invalid: invalid}
	}
	return in, nil
}

// Change is what to change of a channel; what is nil stays. Config and Credentials name the
// settings to change, with nil for those to remove. Stored credentials that the change would
// let be sent to another address must be among them.
type Change struct {
	Name        *string
	AgentID     *uuid.UUID
	Config      map[string]json.RawMessage
	Credentials map[string]*string
	APIBaseURL  func() *string
	Enabled     *bool
}

// Reconnects reports whether a change concerns the connection to the provider.
func (c Change) Reconnects() bool {
	return c.Config != nil || c.Credentials != nil || c.APIBaseURL != nil || c.Enabled != nil && *c.Enabled
}

// Update changes a channel. If change.Reconnects, Check must follow once the transaction is
// committed. It fails with postgres.ErrNotFound, and as Create does.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID, channelID uuid.UUID, change Change) (Detail, error) {
	var row db.Channel
	err := postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := db.New().ChannelLock(ctx, tx, db.ChannelLockParams{WorkspaceID: workspaceID, ID: channelID})
		if err := postgres.Found("lock channel", err); err != nil {
			return err
		}
		params, err := s.changed(before, change)
		if err != nil {
			return err
		}
		row, err = db.New().ChannelUpdate(ctx, tx, params)
		if err := stored(err, params.AgentID); err != nil {
			return err
		}
		if row.Status == api.ChannelStatusDISABLED && before.Status != row.Status {
			return s.disconnectLater(ctx, tx, workspaceID, channelID)
		}
		return nil
	})
	return s.detail(row), err
}

// changed merges a change into a channel.
func (s *Service) changed(before db.Channel, change Change) (db.ChannelUpdateParams, error) {
	params := db.ChannelUpdateParams{
		WorkspaceID: before.WorkspaceID, ID: before.ID, Status: before.Status, UpdatedAt: s.Clock.Now(),
		ErrorCode: before.ErrorCode, ErrorMessage: before.ErrorMessage, ErrorAt: before.ErrorAt,
	}
	in, err := s.merged(before, change)
	if err != nil {
		return params, err
	}
	params.Name, params.AgentID, params.Config, params.APIBaseURL = in.Name, in.AgentID, in.Config, in.APIBaseURL
	if params.Credentials, err = s.Opener.sealed(before.WorkspaceID, before.ID, in.Credentials); err != nil {
		return params, err
	}
	switch {
	case change.Enabled != nil && !*change.Enabled:
		params.Status, params.ErrorCode, params.ErrorMessage, params.ErrorAt = api.ChannelStatusDISABLED, nil, nil, nil
	case change.Enabled != nil && before.Status == api.ChannelStatusDISABLED:
		params.Status, params.ErrorCode = api.ChannelStatusERROR, new(string(api.ChannelErrorCodeNotConnected))
		params.ErrorMessage, params.ErrorAt = new(notConnected), &params.UpdatedAt
	}
	return params, nil
}

// merged returns the settings of a channel with a change in them.
func (s *Service) merged(before db.Channel, change Change) (Settings, error) {
	in := Settings{Type: before.Type, Name: before.Name, AgentID: before.AgentID, Config: before.Config, APIBaseURL: before.APIBaseURL}
	if change.Name != nil {
		in.Name = *change.Name
	}
	if change.AgentID != nil {
		in.AgentID = *change.AgentID
	}
	if change.APIBaseURL != nil {
		in.APIBaseURL = change.APIBaseURL()
	}
	var err error
	if in.Credentials, err = s.Opener.credentials(before); err != nil {
		in.Credentials = map[string]string{} // lost with their key: those that are sent replace them
	}
	for name, value := range change.Credentials {
		if value == nil {
			delete(in.Credentials, name)
		} else {
			in.Credentials[name] = *value
		}
	}
	if change.Config != nil {
		if in.Config, err = mergeConfig(before.Config, change.Config); err != nil {
			return in, err
		}
	}
	if !change.Reconnects() { // the settings are those that were checked before
		in.Name, err = label.Clean(in.Name)
		return in, err
	}
	if err := s.withhold(before, &in, change); err != nil {
		return in, err
	}
	return s.checked(before.WorkspaceID, before.ID, in)
}

// mergeConfig sets and removes properties of a JSON object.
func mergeConfig(config []byte, change map[string]json.RawMessage) (json.RawMessage, error) {
	properties := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &properties); err != nil {
		return nil, fmt.Errorf("stored config: %w", err)
	}
	maps.Copy(properties, change)
	maps.DeleteFunc(properties, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	merged, err := json.Marshal(properties)
	if err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	return merged, nil
}
