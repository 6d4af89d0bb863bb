package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/testdb"
)

// TestAFrozenTransactionLosesItsLocks freezes the connection of a transaction that has
// locked a row: PostgreSQL still has the connection, and hears nothing more on it.
func TestAFrozenTransactionLosesItsLocks(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	other, err := postgres.Open(t.Context(), url, postgres.Options{})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	_, err = other.Exec(t.Context(), "CREATE TABLE counter AS SELECT 0 AS n")
	require.NoError(t, err)
	proxy := apitest.NewProxy(t, url)
	on, err := postgres.Open(t.Context(), proxy.URL, postgres.Options{StatementTimeout: 100 * time.Millisecond, IdleInTransaction: 100 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	err = postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE counter SET n = 1")
		require.NoError(t, err)
		proxy.FreezeOpen()
		_, err = tx.Exec(ctx, "SELECT 1")
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = other.Exec(waiting, "UPDATE counter SET n = 2")
	require.NoError(t, err, "the row is still locked")
}

// TestAProcessThatPausesInATransactionMayTryAgain pauses for longer than PostgreSQL waits.
func TestAProcessThatPausesInATransactionMayTryAgain(t *testing.T) {
	t.Parallel()
	const name = "pausing"
	url := testdb.URL(t)
	other, err := postgres.Open(t.Context(), url, postgres.Options{})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	on, err := postgres.Open(t.Context(), url, postgres.Options{IdleInTransaction: 10 * time.Millisecond, ApplicationName: name})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	err = postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		require.Eventually(t, func() bool {
			sessions, err := other.Sessions(ctx, name)
			return err == nil && sessions == 0
		}, 30*time.Second, 5*time.Millisecond, "PostgreSQL ends the session")
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	})
	require.ErrorContains(t, err, "25P03")
	require.True(t, postgres.IsUnavailable(err))
}

func TestAFrozenConnectionIsReplacedAfterItsDeadline(t *testing.T) {
	t.Parallel()
	proxy := apitest.NewProxy(t, testdb.URL(t))
	on, err := postgres.Open(t.Context(), proxy.URL, postgres.Options{MaxConns: 1, StatementTimeout: 500 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	require.NoError(t, on.Ping(t.Context()))
	proxy.FreezeOpen()
	_, err = on.Exec(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	waiting, cancel := context.WithTimeout(t.Context(), 12*time.Second) // pgx keeps it for 15
	defer cancel()
	_, err = on.Exec(waiting, "SELECT 1")
	require.NoError(t, err)
}

func TestAConnectionThatNoLongerRespondsReplacesAllThatAreIdle(t *testing.T) {
	t.Parallel()
	const conns = 8
	proxy := apitest.NewProxy(t, testdb.URL(t))
	on, err := postgres.Open(t.Context(), proxy.URL, postgres.Options{MaxConns: conns, StatementTimeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	failed := make([]error, conns)
	var sleeping sync.WaitGroup
	for i := range conns { // concurrently, so that each opens a connection
		sleeping.Go(func() { _, failed[i] = on.Exec(t.Context(), "SELECT pg_sleep(0.5)") })
	}
	sleeping.Wait()
	require.NoError(t, errors.Join(failed...))
	_, err = on.Exec(t.Context(), "SELECT pg_sleep(1.2)") // until the others have to be checked
	require.NoError(t, err)
	require.Equal(t, conns, proxy.FreezeOpen())
	_, err = on.Exec(t.Context(), "SELECT 1")
	require.ErrorIs(t, err, context.DeadlineExceeded, "on the connection that was used last")
	waiting, cancel := context.WithTimeout(t.Context(), 8*time.Second) // 7 checks would take 14
	defer cancel()
	_, err = on.Exec(waiting, "SELECT 1")
	require.NoError(t, err)
}
