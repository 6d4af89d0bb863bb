package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// ErrNotLive means that no live token has this hash: it is unknown, revoked or
// expired.
var ErrNotLive = errors.New("token: not live")

const (
	// cacheFor bounds how long a revocation goes unnoticed if its notification is lost.
	cacheFor = time.Second
	// cacheSize bounds the memory of the cache: about 300 bytes per entry.
	cacheSize = 50_000
)

// Authenticator turns tokens into principals. It caches live tokens for a second, drops one
// immediately when the database notifies a change, and caches nothing while it does not
// receive notifications (see Listen).
type Authenticator struct {
	db      *postgres.DB
	queries *db.Queries
	clock   clock.Clock
	uses    *Uses

	mu         sync.RWMutex
	entries    map[Hash]entry
	listening  bool
	generation uint64 // incremented by each notification
}

type entry struct {
	principal *Principal
	until     time.Time
}

// NewAuthenticator returns an authenticator that notes each use of a token in uses. Until
// Listen runs, it queries the database each time.
func NewAuthenticator(on *postgres.DB, c clock.Clock, uses *Uses) *Authenticator {
	return &Authenticator{db: on, queries: db.New(), clock: c, uses: uses, entries: map[Hash]entry{}}
}

// Authenticate returns the principal of a token, or ErrNotLive.
func (a *Authenticator) Authenticate(ctx context.Context, hash Hash) (*Principal, error) {
	now := a.clock.Now()
	a.mu.RLock()
	cached, ok := a.entries[hash]
	generation := a.generation
	a.mu.RUnlock()
	if ok && now.Before(cached.until) {
		a.uses.Note(cached.principal, now)
		return cached.principal, nil
	}
	found, until, err := a.load(ctx, hash, now)
	if err != nil {
		return nil, err
	}
	a.keep(hash, entry{principal: found, until: until}, generation)
	a.uses.Note(found, now)
	return found, nil
}

// load reads a token and until when it may be kept.
func (a *Authenticator) load(ctx context.Context, hash Hash, now time.Time) (*Principal, time.Time, error) {
	row, err := a.queries.SystemTokenByHash(ctx, a.db, db.SystemTokenByHashParams{TokenHash: hash[:]})
	if postgres.IsNotFound(err) {
		return nil, time.Time{}, ErrNotLive
	} else if err != nil {
		return nil, time.Time{}, fmt.Errorf("look up token: %w", err)
	}
	if row.RevokedAt != nil || row.ExpiresAt != nil && !now.Before(*row.ExpiresAt) {
		return nil, time.Time{}, ErrNotLive
	}
	principal := &Principal{
		WorkspaceID: row.WorkspaceID, TokenID: row.ID, Scopes: make([]api.Scope, len(row.Scopes)),
		KnowledgeScopes: row.RequireScopesForKnowledge,
	}
	for i, scope := range row.Scopes {
		principal.Scopes[i] = api.Scope(scope)
	}
	if row.RateLimitPerMinute != nil {
		principal.RateLimit = int(*row.RateLimitPerMinute)
	}
	until := now.Add(cacheFor)
	if row.ExpiresAt != nil && row.ExpiresAt.Before(until) {
		until = *row.ExpiresAt
	}
	return principal, until, nil
}

// keep stores an entry, unless something changed while it was read.
func (a *Authenticator) keep(hash Hash, e entry, generation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.listening || a.generation != generation {
		return
	}
	if len(a.entries) >= cacheSize {
		clear(a.entries)
	}
	a.entries[hash] = e
}

// forget drops one token.
func (a *Authenticator) forget(hash Hash) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	delete(a.entries, hash)
}

// setListening drops all tokens and says whether any may be kept from now on.
func (a *Authenticator) setListening(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	a.listening = on
	clear(a.entries)
}
