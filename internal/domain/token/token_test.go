package token_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMintReturnsTheDocumentedFormat(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^convo_[0-9a-f]{32}$`)
	first := token.Mint()
	require.Regexp(t, shape, first)
	require.NotEqual(t, first, token.Mint())
	hash, ok := token.Parse(first)
	require.True(t, ok)
	require.Equal(t, token.Hash(sha256.Sum256([]byte(first))), hash)
}

// FuzzParse compares Parse with the documented format.
func FuzzParse(f *testing.F) {
	shape := regexp.MustCompile(`^convo_[0-9a-f]{32}\z`)
	for _, seed := range []string{token.Mint(), "convo_", strings.ToUpper(token.Mint()), token.Mint() + "\n", " " + token.Mint(), ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, ok := token.Parse(text)
		require.Equal(t, shape.MatchString(text), ok)
	})
}

// caller is the address of the requests, which may try 3 unknown tokens a minute.
const caller = "192.0.2.7"

var guesses = ratelimit.Limit{Requests: 3, Window: time.Minute}

// fixture is an authenticator over a database, with a token in it.
type fixture struct {
	on     *postgres.DB
	clock  *clock.Fake
	uses   *token.Uses
	auth   *token.Authenticator
	tokens *token.Service
	space  uuid.UUID
	row    uuid.UUID
	hash   token.Hash
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{on: testdb.New(t), clock: clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))}
	f.uses = token.NewUses(f.on)
	f.auth = token.NewAuthenticator(f.on, f.clock, f.uses, ratelimit.NewLookups(f.clock, guesses))
	ids := id.NewGenerator(f.clock)
	f.tokens = &token.Service{DB: f.on, IDs: ids, Clock: f.clock}
	space, err := (&workspace.Service{DB: f.on, IDs: ids}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	f.space = space.ID
	plaintext, row, err := f.tokens.Create(t.Context(), f.on, token.NewToken{WorkspaceID: f.space, Name: "test", Scopes: []api.Scope{api.ScopeLeadsRead}})
	require.NoError(t, err)
	f.row = row.ID
	f.hash, _ = token.Parse(plaintext)
	return f
}

// listen runs the listener and waits until it receives notifications.
func (f *fixture) listen(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.on.Listen(ctx, slog.New(slog.DiscardHandler), f.auth.Channel())
	}()
	require.Eventually(t, f.caches(t), 10*time.Second, time.Millisecond)
	return func() {
		cancel()
		<-ended
	}
}

// caches returns a function that reports whether the token is cached.
func (f *fixture) caches(t *testing.T) func() bool {
	t.Helper()
	return func() bool {
		first, err := f.auth.Authenticate(t.Context(), f.hash, caller)
		require.NoError(t, err)
		second, err := f.auth.Authenticate(t.Context(), f.hash, caller)
		require.NoError(t, err)
		return first == second
	}
}

func TestAPrincipalIsCachedForASecond(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.listen(t)()
	first, err := f.auth.Authenticate(t.Context(), f.hash, caller)
	require.NoError(t, err)
	require.Equal(t, f.space, first.WorkspaceID)
	require.True(t, first.Has(api.ScopeLeadsRead))
	require.False(t, first.Has(api.ScopeLeadsWrite))
	f.clock.Advance(time.Second)
	later, err := f.auth.Authenticate(t.Context(), f.hash, caller)
	require.NoError(t, err)
	require.NotSame(t, first, later, "read again, even without a notification")
}

func TestARevocationTakesEffectImmediately(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.listen(t)()
	revoked, err := f.tokens.Revoke(t.Context(), f.on, f.space, f.row)
	require.NoError(t, err)
	require.True(t, revoked)
	require.Eventually(t, func() bool {
		_, err := f.auth.Authenticate(t.Context(), f.hash, caller) // its clock stands still
		return err != nil
	}, time.Second, time.Millisecond)
	_, err = f.auth.Authenticate(t.Context(), f.hash, caller)
	require.ErrorIs(t, err, token.ErrNotLive)
	again, err := f.tokens.Revoke(t.Context(), f.on, f.space, f.row)
	require.NoError(t, err)
	require.False(t, again)
}

func TestNothingIsCachedWithoutAListener(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.False(t, f.caches(t)())
	stop := f.listen(t)
	require.True(t, f.caches(t)())
	stop()
	require.False(t, f.caches(t)())
}

func TestTheListenerReconnects(t *testing.T) {
	t.Parallel()
	f := setup(t)
	defer f.listen(t)()
	_, err := f.on.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !f.caches(t)() }, 10*time.Second, time.Millisecond, "the lost connection is detected")
	require.Eventually(t, f.caches(t), 10*time.Second, time.Millisecond, "and replaced")
}

func TestTheListenerNoticesAFrozenConnection(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	proxy := apitest.NewProxy(t, url)
	on, err := postgres.Open(t.Context(), proxy.URL, postgres.Options{})
	require.NoError(t, err)
	defer on.Close()
	auth := token.NewAuthenticator(on, clock.System{}, token.NewUses(on), ratelimit.NewLookups(clock.System{}, guesses))
	listening, channel := make(chan struct{}, 1), auth.Channel()
	channel.Up = func() { listening <- struct{}{} }
	logged, lines := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer lines.Close()
		on.Listen(ctx, slog.New(slog.NewTextHandler(lines, nil)), channel)
	}()
	<-listening
	began := time.Now()
	proxy.FreezeOpen()
	line, err := bufio.NewReader(logged).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "not listening")
	require.Less(t, time.Since(began), 2*time.Second)
	go func() { _, _ = io.Copy(io.Discard, logged) }()
	stop()
	<-ended
}

func TestUsesAreWrittenInBatches(t *testing.T) {
	t.Parallel()
	f := setup(t)
	at := f.clock.Now()
	for range 3 {
		_, err := f.auth.Authenticate(t.Context(), f.hash, caller)
		require.NoError(t, err)
	}
	require.NoError(t, f.uses.Flush(t.Context()))
	lastUsed := func() time.Time {
		rows, err := f.tokens.List(t.Context(), f.space)
		require.NoError(t, err)
		return rows[0].APIToken.LastUsedAt.UTC()
	}
	require.Equal(t, at, lastUsed())
	f.uses.Note(&token.Principal{WorkspaceID: f.space, TokenID: f.row}, at.Add(-time.Hour))
	require.NoError(t, f.uses.Flush(t.Context()))
	require.Equal(t, at, lastUsed(), "it never goes back")
}

func TestUsesAreKeptAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.uses.Note(&token.Principal{WorkspaceID: f.space, TokenID: f.row}, f.clock.Now())
	require.Error(t, f.uses.Flush(ctx))
	require.NoError(t, f.uses.Flush(t.Context()))
	rows, err := f.tokens.List(t.Context(), f.space)
	require.NoError(t, err)
	require.NotNil(t, rows[0].APIToken.LastUsedAt)
}

func TestCreateValidatesItsInput(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, _, err := f.tokens.Create(t.Context(), f.on, token.NewToken{Name: "x", WorkspaceID: f.space, Scopes: []api.Scope{"leads:eat"}})
	require.ErrorIs(t, err, token.ErrUnknownScope)
	never := time.Duration(0)
	_, _, err = f.tokens.Create(t.Context(), f.on, token.NewToken{Name: "x", WorkspaceID: f.space, ExpiresIn: &never})
	require.ErrorIs(t, err, token.ErrExpiry)
}

// BenchmarkAuthenticate measures the authentication by a cached token.
func BenchmarkAuthenticate(b *testing.B) {
	on := testdb.New(b)
	c := clock.NewFake(time.Now())
	ids := id.NewGenerator(c)
	space, err := (&workspace.Service{DB: on, IDs: ids}).Ensure(b.Context(), "acme", "Acme")
	require.NoError(b, err)
	plaintext, _, err := (&token.Service{DB: on, IDs: ids, Clock: c}).Create(b.Context(), on, token.NewToken{Name: "x", WorkspaceID: space.ID, Scopes: []api.Scope{api.ScopeLeadsRead}})
	require.NoError(b, err)
	auth := token.NewAuthenticator(on, c, token.NewUses(on), ratelimit.NewLookups(c, guesses))
	ctx, stop := context.WithCancel(b.Context())
	var ended atomic.Bool
	go func() {
		on.Listen(ctx, slog.New(slog.DiscardHandler), auth.Channel())
		ended.Store(true)
	}()
	b.ReportAllocs()
	for b.Loop() {
		hash, _ := token.Parse(plaintext)
		_, err := auth.Authenticate(ctx, hash, caller)
		require.NoError(b, err)
	}
	stop()
}
