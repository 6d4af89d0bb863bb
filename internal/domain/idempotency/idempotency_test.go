package idempotency_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/testing/testdb"
)

func setup(t *testing.T) (*idempotency.Store, *clock.Fake, func(key, fingerprint string) idempotency.Request) {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))
	store := &idempotency.Store{DB: testdb.New(t), Clock: c}
	space, err := (&workspace.Service{DB: store.DB, IDs: id.NewGenerator(c)}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	return store, c, func(key, fingerprint string) idempotency.Request {
		return idempotency.Request{WorkspaceID: space.ID, Key: key, Fingerprint: func() ([]byte, error) { return []byte(fingerprint), nil }}
	}
}

// run does something that leaves a workspace behind, and answers.
func run(store *idempotency.Store, runs *atomic.Int64) func(context.Context) (idempotency.Answer, error) {
	return func(ctx context.Context) (idempotency.Answer, error) {
		runs.Add(1)
		_, err := store.DB.Exec(ctx, "INSERT INTO workspaces (id, slug, name, created_at) VALUES ($1, $2, 'x', now())", uuid.New(), "w-"+uuid.NewString()[:8])
		return idempotency.Answer{Status: 201, Header: http.Header{"Location": {"/x"}}, Body: []byte(`{"n":1}`)}, err
	}
}

func workspaces(t *testing.T, store *idempotency.Store) (n int) {
	t.Helper()
	require.NoError(t, store.DB.QueryRow(t.Context(), "SELECT count(*) FROM workspaces").Scan(&n))
	return n
}

func TestTheSecondRequestGetsTheStoredAnswer(t *testing.T) {
	t.Parallel()
	store, c, request := setup(t)
	var runs atomic.Int64
	first, replayed, err := store.Do(t.Context(), request("k", "f"), run(store, &runs))
	require.NoError(t, err)
	require.False(t, replayed)
	c.Advance(idempotency.Kept - time.Second)
	second, replayed, err := store.Do(t.Context(), request("k", "f"), run(store, &runs))
	require.NoError(t, err)
	require.True(t, replayed)
	require.Equal(t, first, second)
	require.Equal(t, int64(1), runs.Load())
	require.Equal(t, 2, workspaces(t, store))
	_, _, err = store.Do(t.Context(), request("k", "another"), run(store, &runs))
	require.ErrorIs(t, err, idempotency.ErrKeyReused)
}

func TestAnAnswerIsForgottenAfterADay(t *testing.T) {
	t.Parallel()
	store, c, request := setup(t)
	var runs atomic.Int64
	_, _, err := store.Do(t.Context(), request("k", "f"), run(store, &runs))
	require.NoError(t, err)
	c.Advance(idempotency.Kept)
	_, replayed, err := store.Do(t.Context(), request("k", "g"), run(store, &runs))
	require.NoError(t, err)
	require.False(t, replayed)
	c.Advance(idempotency.Kept + time.Second)
	gone, err := store.DeleteExpired(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, int64(1), gone)
}

func TestARefusalFreesTheKeyAndChangesNothing(t *testing.T) {
	t.Parallel()
	store, _, request := setup(t)
	var runs atomic.Int64
	refusal := errors.New("refused")
	_, _, err := store.Do(t.Context(), request("k", "f"), func(ctx context.Context) (idempotency.Answer, error) {
		_, err := run(store, &runs)(ctx)
		require.NoError(t, err)
		return idempotency.Answer{}, refusal
	})
	require.ErrorIs(t, err, refusal)
	require.Equal(t, 1, workspaces(t, store), "what was done before the refusal is undone")
	_, replayed, err := store.Do(t.Context(), request("k", "corrected"), run(store, &runs))
	require.NoError(t, err)
	require.False(t, replayed)
}

func TestARunningRequestHoldsItsKey(t *testing.T) {
	t.Parallel()
	store, _, request := setup(t)
	var runs atomic.Int64
	_, _, err := store.Do(t.Context(), request("k", "f"), func(ctx context.Context) (idempotency.Answer, error) {
		_, _, err := store.Do(t.Context(), request("k", "f"), run(store, &runs))
		require.ErrorIs(t, err, idempotency.ErrKeyInUse)
		_, _, err = store.Do(t.Context(), request("another", "f"), run(store, &runs))
		require.NoError(t, err)
		return run(store, &runs)(ctx)
	})
	require.NoError(t, err)
}

func TestManyAtOnceAreOne(t *testing.T) {
	t.Parallel()
	store, _, request := setup(t)
	var runs, answered atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 20 {
				_, _, err := store.Do(t.Context(), request("k", "f"), run(store, &runs))
				if err == nil {
					answered.Add(1)
				}
			}
		})
	}
	callers.Wait()
	require.Equal(t, int64(1), runs.Load())
	require.Positive(t, answered.Load())
	require.Equal(t, 2, workspaces(t, store))
}
