// Package modelprovider holds the providers of language models that workspaces have set up:
// their settings, with sealed keys, and how agents use them.
package modelprovider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// ErrKeyRequired means that a key is missing: there is none for the provider's own API, or the
// stored one is for another base URL.
var ErrKeyRequired = errors.New("modelprovider: a key is required")

// InvalidURLError means that a base URL is not accepted.
type InvalidURLError struct{ Reason string }

// Error implements error.
func (e *InvalidURLError) Error() string { return "modelprovider: base URL " + e.Reason }

// Service reads and changes the providers of workspaces.
type Service struct {
	DB    *postgres.DB
	Clock clock.Clock
	Box   *seal.Box
	Guard *egress.Guard
}

// Change is what to change of a provider; what is nil stays. BaseURL returns nil for the
// provider's own API.
type Change struct {
	APIKey  *string
	BaseURL func() *string
	Prices  map[string]spending.Price
}

// Get returns the settings of a provider, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID uuid.UUID, name api.ModelProviderName) (db.ModelProvider, error) {
	row, err := db.New().ModelProviderGet(ctx, s.DB, db.ModelProviderGetParams{WorkspaceID: workspaceID, Provider: name})
	return row, postgres.Found("get model provider", err)
}

// Update changes the settings of a provider, and sets it up if it is not. A stored key is never
// sent to another base URL than the one it was given for: who changes the URL needs the key.
// It fails with ErrKeyRequired or *InvalidURLError.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, name api.ModelProviderName, change Change) (row db.ModelProvider, err error) {
	params := db.ModelProviderSetParams{WorkspaceID: workspaceID, Provider: name, Now: s.Clock.Now()}
	if change.APIKey != nil {
		params.APIKey = s.Box.Seal(*change.APIKey, KeyContext(workspaceID, name))
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := db.New().ModelProviderLock(ctx, tx, db.ModelProviderLockParams{WorkspaceID: workspaceID, Provider: name})
		if err != nil && !postgres.IsNotFound(err) {
			return fmt.Errorf("lock model provider: %w", err)
		}
		if params.BaseURL, err = s.baseURL(before, change); err != nil {
			return err
		}
		if err := keepKey(&params, before); err != nil {
			return err
		}
		if params.Prices, err = prices(before, change); err != nil {
			return err
		}
		row, err = db.New().ModelProviderSet(ctx, tx, params)
		return err
	})
	return row, err
}

// baseURL returns the new base URL, without slashes at its end; nil for the provider's own.
func (s *Service) baseURL(before db.ModelProvider, change Change) (*string, error) {
	if change.BaseURL == nil {
		return before.BaseURL, nil
	}
	given := change.BaseURL()
	if given == nil {
		return nil, nil //nolint:nilnil // the provider's own
	}
	base := strings.TrimRight(*given, "/")
	reason := s.Guard.CheckURL(base)
	if reason == "" && strings.Contains(base, "?") {
		reason = "must not have a query"
	}
	if reason != "" {
		return nil, &InvalidURLError{Reason: reason}
	}
	return &base, nil
}

// prices returns the new prices as they are stored.
func prices(before db.ModelProvider, change Change) ([]byte, error) {
	switch {
	case change.Prices != nil:
		raw, err := json.Marshal(change.Prices)
		if err != nil {
			return nil, fmt.Errorf("encode prices: %w", err)
		}
		return raw, nil
	case before.Prices != nil:
		return before.Prices, nil
	}
	return []byte("{}"), nil
}

// keepKey takes over the stored key if none is given.
func keepKey(params *db.ModelProviderSetParams, before db.ModelProvider) error {
	if params.APIKey != nil {
		return nil
	}
	if before.APIKey != nil && !equal(before.BaseURL, params.BaseURL) || before.APIKey == nil && params.BaseURL == nil {
		return ErrKeyRequired
	}
	params.APIKey = before.APIKey
	return nil
}

func equal(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// Delete deletes the settings of a provider, or fails with postgres.ErrNotFound.
func (s *Service) Delete(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, name api.ModelProviderName) error {
	gone, err := db.New().ModelProviderDelete(ctx, on, db.ModelProviderDeleteParams{WorkspaceID: workspaceID, Provider: name})
	if err == nil && gone == 0 {
		err = postgres.ErrNotFound
	}
	return postgres.Found("delete model provider", err)
}

// KeyContext is the place that the key of a provider is sealed for.
func KeyContext(workspaceID uuid.UUID, name api.ModelProviderName) []byte {
	return append(append([]byte("model provider key"), workspaceID[:]...), name...)
}
