package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

// ErrUnknownScope means that a scope does not exist.
var ErrUnknownScope = errors.New("token: unknown scope")

// ErrExpiry means that a lifetime is not positive.
var ErrExpiry = errors.New("token: the time to expiry must be positive")

// Service creates, lists and revokes tokens.
type Service struct {
	DB    *postgres.DB
	IDs   *id.Generator
	Clock clock.Clock
}

// NewToken describes a token to create. It never expires if ExpiresIn is nil.
type NewToken struct {
	WorkspaceID uuid.UUID
	Name        string
	Scopes      []api.Scope
	ExpiresIn   *time.Duration
	CreatedBy   *uuid.UUID // the user who creates it, if any
}

// Live reports whether a token is valid at a time.
func Live(row db.APIToken, at time.Time) bool {
	return row.RevokedAt == nil && (row.ExpiresAt == nil || at.Before(*row.ExpiresAt))
}

// Create stores a token and returns its plaintext, which cannot be read again.
// It returns ErrUnknownScope, ErrExpiry, label.ErrEmpty and label.ErrInvisible.
func (s *Service) Create(ctx context.Context, on postgres.Conn, in NewToken) (string, db.APIToken, error) {
	name, err := label.Clean(in.Name)
	if err != nil {
		return "", db.APIToken{}, err
	}
	in.Name = name
	return s.insert(ctx, on, in)
}

func (s *Service) insert(ctx context.Context, on postgres.Conn, in NewToken) (string, db.APIToken, error) {
	scopes := make([]string, 0, len(in.Scopes))
	for _, scope := range in.Scopes {
		if !scope.Valid() {
			return "", db.APIToken{}, fmt.Errorf("%w %q", ErrUnknownScope, scope)
		}
		scopes = append(scopes, string(scope))
	}
	if in.ExpiresIn != nil && *in.ExpiresIn <= 0 {
		return "", db.APIToken{}, ErrExpiry
	}
	plaintext := Mint()
	hash, _ := Parse(plaintext)
	tokenID, createdAt := s.IDs.New()
	var expiresAt *time.Time
	if in.ExpiresIn != nil {
		at := createdAt.Add(*in.ExpiresIn)
		expiresAt = &at
	}
	row, err := db.New().TokenCreate(ctx, on, db.TokenCreateParams{
		WorkspaceID: in.WorkspaceID, ID: tokenID, Name: in.Name, TokenHash: hash[:],
		LastFour: plaintext[len(plaintext)-4:], Scopes: scopes, CreatedBy: in.CreatedBy, CreatedAt: createdAt, ExpiresAt: expiresAt,
	})
	if err != nil {
		return "", db.APIToken{}, fmt.Errorf("create token: %w", err)
	}
	return plaintext, row, nil
}

// List returns the tokens of a workspace, newest first.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID) ([]db.TokenListRow, error) {
	rows, err := db.New().TokenList(ctx, s.DB, db.TokenListParams{WorkspaceID: workspaceID})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return rows, nil
}

// Revoke revokes a token on every replica within a second. It reports false if the
// workspace has no such token, or it is already revoked.
func (s *Service) Revoke(ctx context.Context, on postgres.Conn, workspaceID, tokenID uuid.UUID) (bool, error) {
	now := s.Clock.Now()
	changed, err := db.New().TokenRevoke(ctx, on, db.TokenRevokeParams{WorkspaceID: workspaceID, ID: tokenID, RevokedAt: &now})
	if err != nil {
		return false, fmt.Errorf("revoke token: %w", err)
	}
	return changed > 0, nil
}

// Get returns a token of a workspace, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, tokenID uuid.UUID) (db.APIToken, error) {
	return lock(ctx, s.DB, workspaceID, tokenID)
}

func lock(ctx context.Context, on postgres.Conn, workspaceID, tokenID uuid.UUID) (db.APIToken, error) {
	row, err := db.New().TokenLock(ctx, on, db.TokenLockParams{WorkspaceID: workspaceID, ID: tokenID})
	return row, postgres.Found("get token", err)
}

// Rotate creates a token with the name, scopes and lifetime of another, which stays valid
// for at most the overlap. It returns the plaintext of the new one, which cannot be read
// again, or ErrNotLive.
func (s *Service) Rotate(ctx context.Context, on postgres.Conn, workspaceID, tokenID uuid.UUID, by *uuid.UUID, overlap time.Duration) (plaintext string, row db.APIToken, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		old, err := lock(ctx, tx, workspaceID, tokenID)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		if !Live(old, now) {
			return ErrNotLive
		}
		next := NewToken{WorkspaceID: workspaceID, Name: old.Name, CreatedBy: by}
		for _, scope := range old.Scopes {
			next.Scopes = append(next.Scopes, api.Scope(scope))
		}
		end := now.Add(overlap)
		if old.ExpiresAt != nil {
			life := old.ExpiresAt.Sub(old.CreatedAt)
			next.ExpiresIn = &life
			if old.ExpiresAt.Before(end) {
				end = *old.ExpiresAt
			}
		}
		if plaintext, row, err = s.insert(ctx, tx, next); err != nil {
			return err
		}
		if overlap <= 0 {
			_, err = s.Revoke(ctx, tx, workspaceID, tokenID)
			return err
		}
		if err := db.New().TokenSetExpiry(ctx, tx, db.TokenSetExpiryParams{WorkspaceID: workspaceID, ID: tokenID, ExpiresAt: &end}); err != nil {
			return fmt.Errorf("set expiry: %w", err)
		}
		return nil
	})
	return plaintext, row, err
}
