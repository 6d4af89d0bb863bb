package token

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// ErrNotLive means that no live token has this hash: it is unknown, revoked or
// expired.
var ErrNotLive = errors.New("token: not live")

const (
	// cacheFor bounds how long a revocation goes unnoticed if its notification is lost, and
	// how long a new token may be rejected that was tried before it existed.
	cacheFor = time.Second
	// cacheSize bounds the memory of the cache: about 300 bytes per entry.
	cacheSize = 50_000
	// absentSize bounds the number of unknown tokens in the cache, which are apart from the
	// live ones so that guesses do not displace those.
	absentSize = 10_000
)

// Authenticator turns tokens into principals. It caches them for a second, drops one
// immediately when the database notifies a change, and caches nothing while it does not
// receive notifications (see Channel).
type Authenticator struct {
	db      *postgres.DB
	queries *db.Queries
	clock   clock.Clock
	uses    *Uses
	lookups *ratelimit.Lookups

	mu         sync.RWMutex
	live       map[Hash]entry
	absent     map[Hash]entry
	listening  bool
	generation uint64 // incremented by each notification
}

type entry struct {
	principal *Principal // nil for a token that is not live
	until     time.Time
}

// NewAuthenticator returns an authenticator that notes each use of a token in uses, and
// limits guesses by lookups. Until its Channel is listened to, it queries the database each time.
func NewAuthenticator(on *postgres.DB, c clock.Clock, uses *Uses, lookups *ratelimit.Lookups) *Authenticator {
	return &Authenticator{
		db: on, queries: db.New(), clock: c, uses: uses, lookups: lookups,
		live: map[Hash]entry{}, absent: map[Hash]entry{},
	}
}

// Authenticate returns the principal of a token, ErrNotLive, or a
// *ratelimit.ExceededError if the caller has tried too many tokens that are not live.
func (a *Authenticator) Authenticate(ctx context.Context, hash Hash, caller string) (*Principal, error) {
	now := a.clock.Now()
	found, generation := a.cached(hash)
	if !now.Before(found.until) {
		err := a.lookups.Do(ctx, caller, ratelimit.Secret(hash), func(ctx context.Context) (bool, error) {
			var err error
			found, err = a.load(ctx, hash, now)
			return found.principal != nil, err
		})
		if err != nil {
			return nil, err
		}
		a.keep(hash, found, generation)
	}
	if found.principal == nil {
		return nil, ErrNotLive
	}
	a.uses.Note(found.principal, now)
	return found.principal, nil
}

// cached returns an entry, which is in the past if there is none.
func (a *Authenticator) cached(hash Hash) (found entry, generation uint64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	found, ok := a.live[hash]
	if !ok {
		found = a.absent[hash]
	}
	return found, a.generation
}

// load reads a token and until when it may be kept.
func (a *Authenticator) load(ctx context.Context, hash Hash, now time.Time) (entry, error) {
	until := now.Add(cacheFor)
	row, err := a.queries.SystemTokenByHash(ctx, a.db, db.SystemTokenByHashParams{TokenHash: hash[:]})
	if postgres.IsNotFound(err) {
		return entry{until: until}, nil
	} else if err != nil {
		return entry{}, fmt.Errorf("look up token: %w", err)
	}
	if row.RevokedAt != nil || row.ExpiresAt != nil && !now.Before(*row.ExpiresAt) {
		return entry{until: until}, nil
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
	if row.ExpiresAt != nil && row.ExpiresAt.Before(until) {
		until = *row.ExpiresAt
	}
	return entry{principal: principal, until: until}, nil
}

// keep stores an entry, unless something changed while it was read.
func (a *Authenticator) keep(hash Hash, e entry, generation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.listening || a.generation != generation {
		return
	}
	if e.principal == nil {
		delete(a.live, hash)
		put(a.absent, absentSize, hash, e)
		return
	}
	delete(a.absent, hash)
	put(a.live, cacheSize, hash, e)
}

func put(into map[Hash]entry, size int, hash Hash, e entry) {
	if len(into) >= size {
		clear(into)
	}
	into[hash] = e
}

// forget drops one token.
func (a *Authenticator) forget(hash Hash) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	delete(a.live, hash)
	delete(a.absent, hash)
}

// setListening drops all tokens and says whether any may be kept from now on.
func (a *Authenticator) setListening(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	a.listening = on
	clear(a.live)
	clear(a.absent)
}
