package modelprovider

import (
	"context"
	"log/slog"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/anthropic"
	"github.com/avelto/convo/internal/domain/agent/model/openai"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// Source finds the providers that agents use: those that need no credentials, and those that
// their workspace has set up.
type Source struct {
	Fixed model.Registry
	DB    *postgres.DB
	Box   *seal.Box
	// Client calls the providers.
	Client *apiclient.Client
	Log    *slog.Logger
}

var _ model.Source = (*Source)(nil)

// Provider implements model.Source. The connection to the database is released before it
// returns.
func (s *Source) Provider(ctx context.Context, workspaceID uuid.UUID, name string) (model.Provider, error) {
	if found, ok := s.Fixed[name]; ok {
		return found, nil
	}
	of := api.ModelProviderName(name)
	if !of.Valid() {
		return nil, model.ErrUnavailable
	}
	row, err := db.New().ModelProviderGet(ctx, s.DB, db.ModelProviderGetParams{WorkspaceID: workspaceID, Provider: of})
	if postgres.IsNotFound(err) {
		return nil, model.ErrUnavailable
	} else if err != nil {
		return nil, postgres.Found("get model provider", err)
	}
	settings := wire.Settings{Client: s.Client}
	if row.BaseURL != nil {
		settings.BaseURL = *row.BaseURL
	}
	if row.APIKey != nil {
		if settings.APIKey, err = s.Box.Open(row.APIKey, KeyContext(workspaceID, of)); err != nil {
			s.Log.WarnContext(ctx, "key of a model provider can't be decrypted", "workspaceId", workspaceID, "provider", of)
			return nil, &model.Error{Kind: model.Credentials}
		}
	}
	if of == api.ModelProviderNameAnthropic {
		return anthropic.New(settings), nil
	}
	return openai.New(settings), nil
}
