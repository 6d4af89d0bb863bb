package idempotency_test

import (
	"errors"
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

const lease = 30 * time.Second

var response = idempotency.Response{Status: 201, Header: map[string][]string{"Location": {"/x"}}, Body: []byte(`{"n":1}`)}

type fixture struct {
	*idempotency.Store

	clock *clock.Fake
	space uuid.UUID
}

func setup(t *testing.T) fixture {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC))
	store := &idempotency.Store{DB: testdb.New(t), Clock: c}
	space, err := (&workspace.Service{DB: store.DB, IDs: id.NewGenerator(c)}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	return fixture{store, c, space.ID}
}

func (f fixture) reserve(t *testing.T) *idempotency.Reservation {
	t.Helper()
	reservation, stored, err := f.Reserve(t.Context(), f.space, "k", lease)
	require.NoError(t, err)
	require.Nil(t, stored)
	return reservation
}

func (f fixture) requireInUse(t *testing.T, retryAfter time.Duration) {
	t.Helper()
	_, _, err := f.Reserve(t.Context(), f.space, "k", lease)
	var inUse *idempotency.InUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, retryAfter, inUse.RetryAfter)
}

func TestACompletedRequestIsReplayedForADay(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.reserve(t).Complete(t.Context(), f.DB, []byte("f"), response))
	f.clock.Advance(idempotency.Kept - time.Second)
	_, stored, err := f.Reserve(t.Context(), f.space, "k", lease)
	require.NoError(t, err)
	require.Equal(t, response, stored.Response)
	require.NoError(t, stored.Matches([]byte("f")))
	require.ErrorIs(t, stored.Matches([]byte("another")), idempotency.ErrReused)
	f.clock.Advance(time.Second)
	require.NotNil(t, f.reserve(t), "after a day the key is free")
}

func TestExpiredResponsesAreDeleted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.reserve(t).Complete(t.Context(), f.DB, []byte("f"), response))
	f.clock.Advance(idempotency.Kept)
	deleted, err := f.DeleteExpired(t.Context(), 10)
	require.NoError(t, err)
	require.Zero(t, deleted)
	f.clock.Advance(time.Second)
	deleted, err = f.DeleteExpired(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, int64(1), deleted)
}

func TestARunningRequestHoldsItsKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.reserve(t)
	f.requireInUse(t, lease)
	f.clock.Advance(lease - time.Millisecond)
	f.requireInUse(t, time.Second)
	other, _, err := f.Reserve(t.Context(), f.space, "another", lease)
	require.NoError(t, err)
	require.NotNil(t, other)
}

func TestAReleasedKeyIsFree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.reserve(t).Release(t.Context()))
	first := f.reserve(t)
	require.NoError(t, first.Complete(t.Context(), f.DB, []byte("f"), response))
	require.NoError(t, first.Release(t.Context()), "a completed request keeps its response")
	_, stored, err := f.Reserve(t.Context(), f.space, "k", lease)
	require.NoError(t, err)
	require.NotNil(t, stored)
}

func TestALostLeaseStoresNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	slow := f.reserve(t)
	f.clock.Advance(lease)
	next := f.reserve(t)
	require.ErrorIs(t, slow.Complete(t.Context(), f.DB, []byte("f"), response), idempotency.ErrLeaseLost)
	require.NoError(t, slow.Release(t.Context()))
	f.requireInUse(t, lease)
	require.NoError(t, next.Complete(t.Context(), f.DB, []byte("f"), response))
	require.ErrorIs(t, next.Complete(t.Context(), f.DB, []byte("f"), response), idempotency.ErrLeaseLost, "once")
}

func TestAResponseIsReplacedByItsOwner(t *testing.T) {
	t.Parallel()
	f := setup(t)
	later := idempotency.Response{Status: 201, Header: map[string][]string{"Location": {"/later"}}, Body: []byte("later")}
	slow := f.reserve(t)
	require.NoError(t, slow.Replace(t.Context(), f.DB, later))
	f.requireInUse(t, lease)
	f.clock.Advance(lease)
	next := f.reserve(t)
	require.NoError(t, next.Complete(t.Context(), f.DB, []byte("f"), response))
	require.NoError(t, slow.Replace(t.Context(), f.DB, later))
	_, stored, err := f.Reserve(t.Context(), f.space, "k", lease)
	require.NoError(t, err)
	require.Equal(t, response, stored.Response, "another request's response stays")
	require.NoError(t, next.Replace(t.Context(), f.DB, later))
	_, stored, err = f.Reserve(t.Context(), f.space, "k", lease)
	require.NoError(t, err)
	require.Equal(t, later, stored.Response)
	require.NoError(t, stored.Matches([]byte("f")))
}

func TestManyConcurrentReservationsAreOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var reserved, refused atomic.Int64
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			reservation, _, err := f.Reserve(t.Context(), f.space, "k", lease)
			var inUse *idempotency.InUseError
			switch {
			case errors.As(err, &inUse):
				refused.Add(1)
			case reservation != nil:
				reserved.Add(1)
			}
		})
	}
	callers.Wait()
	require.Equal(t, int64(1), reserved.Load())
	require.Equal(t, int64(31), refused.Load())
}
