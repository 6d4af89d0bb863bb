package user

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// Sessions stores the sessions of the console. Its methods are those that scs calls, with
// the hash of a cookie as the token.
type Sessions struct {
	DB      *postgres.DB
	Lookups *ratelimit.Lookups
}

type callerKey struct{}

// WithCaller returns a context for requests of a caller, whose guesses are limited.
func WithCaller(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// FindCtx returns the data of a session. It fails with a *ratelimit.ExceededError if the
// caller has presented too many unknown cookies.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	caller, _ := ctx.Value(callerKey{}).(string)
	err = s.Lookups.Do(ctx, caller, secretOf(token), func(ctx context.Context) (bool, error) {
		data, err = db.New().SystemSessionFind(ctx, s.DB, db.SystemSessionFindParams{Token: token})
		if postgres.IsNotFound(err) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("find session: %w", err)
		}
		found = true
		return true, nil
	})
	return data, found, err
}

func secretOf(token string) ratelimit.Secret { return sha256.Sum256([]byte(token)) }

// CommitCtx creates or replaces a session.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if err := db.New().SystemSessionSave(ctx, s.DB, db.SystemSessionSaveParams{Token: token, Data: data, Expiry: expiry}); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	s.Lookups.Remember(secretOf(token))
	return nil
}

// DeleteCtx ends a session.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	if err := db.New().SystemSessionDelete(ctx, s.DB, db.SystemSessionDeleteParams{Token: token}); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
