package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/secret"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/seal"
)

const (
	// idlePerEndpoint is how many unused connections to an endpoint stay open.
	idlePerEndpoint = 16
	// DefaultStorage is the default of CONVO_STORAGE.
	DefaultStorage = ".convo/files"
)

// connections contains what connects to other systems: webhooks, websites and file storage.
type connections struct {
	blobs  blob.Store
	guard  *egress.Guard
	box    *seal.Box
	sender *sender.Sender
	// models calls providers of language models.
	models *apiclient.Client
	// channels opens channels, with the types of this build.
	channels *channel.Opener
}

// NewBox returns the box that encrypts secrets in the database with key, and decrypts
// them with key or an older one.
func NewBox(key []byte, older ...[]byte) (*seal.Box, error) {
	return seal.New(key, "webhook secrets", older...)
}

func newConnections(ctx context.Context, config Config, parts Parts) (*connections, error) {
	allowed, err := egress.ParsePrefixes(config.AllowedTargets)
	if err != nil {
		return nil, fmt.Errorf("CONVO_ALLOWED_TARGETS: %w", err)
	}
	box, err := NewBox(parts.Key, parts.OldKeys...)
	if err != nil {
		return nil, err
	}
	if err := (&secret.Store{DB: parts.DB, Box: box}).Check(ctx); err != nil {
		return nil, err
	}
	storage := config.Storage
	if storage == "" {
		storage = DefaultStorage
	}
	blobs, err := blob.Open(ctx, storage)
	if err != nil {
		return nil, fmt.Errorf("CONVO_STORAGE: %w", err)
	}
	guard := egress.NewGuard(allowed)
	post := sender.New(guard, parts.Clock, parts.Log, config.webhookTimeout(), idlePerEndpoint)
	providers := parts.Providers
	if providers == nil {
		providers = newProviders(guard, parts)
	}
	channels := &channel.Opener{DB: parts.DB, Box: box, Providers: providers, HookBase: strings.TrimRight(config.PublicURL, "/") + "/hooks/"}
	models := apiclient.New(guard)
	return &connections{blobs: blobs, guard: guard, box: box, sender: post, models: models, channels: channels}, nil
}
