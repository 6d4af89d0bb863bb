package channel

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// AuthorizationPath follows the URL of a channel's hook: where its provider leads the browser
	// after an authorization.
	AuthorizationPath = "/oauth"
	// authorizationTime is how long an authorization may take.
	authorizationTime = 10 * time.Minute
)

var (
	// ErrNotAuthorizable means that a channel cannot be authorized in a browser, or lacks the
	// settings for it.
	ErrNotAuthorizable = errors.New("channel: cannot be authorized")
	// ErrAuthorization means that no authorization of a channel has a state: it is forged, too
	// old, used or replaced.
	ErrAuthorization = errors.New("channel: no such authorization")
)

// Authorization is a page at the provider on which a channel is authorized.
type Authorization struct {
	URL       string
	ExpiresAt time.Time
}

// Authorize begins an authorization of a channel. Its state is random and known to the one who
// asked for the page alone. It fails with postgres.ErrNotFound or ErrNotAuthorizable.
func (s *Service) Authorize(ctx context.Context, on postgres.Conn, workspaceID, channelID uuid.UUID) (Authorization, error) {
	row, err := get(ctx, on, workspaceID, channelID)
	if err != nil {
		return Authorization{}, err
	}
	opened, err := s.Opener.Open(row)
	if err != nil {
		return Authorization{}, ErrNotAuthorizable
	}
	authorizer, ok := opened.Provider.(provider.Authorizer)
	if !ok {
		return Authorization{}, ErrNotAuthorizable
	}
	state := rand.Text()
	page, ok := authorizer.AuthorizationURL(opened.Channel, opened.Channel.HookURL+AuthorizationPath, state)
	if !ok {
		return Authorization{}, ErrNotAuthorizable
	}
	begun := Authorization{URL: page, ExpiresAt: s.Clock.Now().Add(authorizationTime)}
	err = db.New().ChannelAuthorizationBegin(ctx, on, db.ChannelAuthorizationBeginParams{
		WorkspaceID: workspaceID, ID: channelID, Hash: hashOf(state), Until: begun.ExpiresAt,
	})
	if err != nil {
		return begun, fmt.Errorf("begin authorization: %w", err)
	}
	return begun, nil
}

// UseAuthorization ends an authorization, so that its state is used once. It fails with
// ErrAuthorization.
func (s *Service) UseAuthorization(ctx context.Context, row db.Channel, state string) error {
	used, err := db.New().ChannelAuthorizationUse(ctx, s.DB, db.ChannelAuthorizationUseParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, Hash: hashOf(state), Now: s.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("end authorization: %w", err)
	}
	if used == 0 {
		return ErrAuthorization
	}
	return nil
}

// Authorized returns the change that a code of the provider stands for. It calls the provider, so
// it must not run in a transaction. It fails with ErrNotAuthorizable or *ProviderError.
func (s *Service) Authorized(ctx context.Context, opened Opened, code string) (Change, error) {
	authorizer, ok := opened.Provider.(provider.Authorizer)
	if !ok {
		return Change{}, ErrNotAuthorizable
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(opened.Provider))
	defer cancel()
	credentials, err := authorizer.Authorize(ctx, opened.Channel, opened.Channel.HookURL+AuthorizationPath, code)
	if err != nil {
		return Change{}, providerError(opened.Channel, err)
	}
	change := Change{Credentials: map[string]*string{}}
	for name, value := range credentials {
		change.Credentials[name] = &value
	}
	return change, nil
}

func hashOf(state string) []byte {
	hash := sha256.Sum256([]byte(state))
	return hash[:]
}
