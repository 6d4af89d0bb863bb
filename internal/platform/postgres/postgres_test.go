package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

func counter(t *testing.T) *postgres.DB {
	t.Helper()
	on := testdb.New(t)
	_, err := on.Exec(t.Context(), "CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL)")
	require.NoError(t, err)
	_, err = on.Exec(t.Context(), "INSERT INTO counter VALUES (1, 0), (2, 0)")
	require.NoError(t, err)
	return on
}

func count(t *testing.T, on *postgres.DB) (n int) {
	t.Helper()
	require.NoError(t, on.QueryRow(t.Context(), "SELECT sum(n) FROM counter").Scan(&n))
	return n
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	on := counter(t)
	fault := errors.New("fault")
	bump := func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1")
		return err
	}
	require.NoError(t, postgres.WithTx(t.Context(), on, bump))
	require.Equal(t, 2, count(t, on))
	require.ErrorIs(t, postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		require.NoError(t, bump(ctx, tx))
		return fault
	}), fault)
	require.Equal(t, 2, count(t, on))
	require.Panics(t, func() {
		_ = postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
			require.NoError(t, bump(ctx, tx))
			panic("fault")
		})
	})
	require.Equal(t, 2, count(t, on))
}

func TestNestedCallsJoinTheTransaction(t *testing.T) {
	t.Parallel()
	on := counter(t)
	fault := errors.New("fault")
	err := postgres.WithTx(t.Context(), on, func(ctx context.Context, outer postgres.Tx) error {
		require.NoError(t, postgres.WithTx(ctx, outer, func(ctx context.Context, inner postgres.Tx) error {
			require.Equal(t, outer, inner)
			_, err := inner.Exec(ctx, "UPDATE counter SET n = 7")
			return err
		}))
		return fault
	})
	require.ErrorIs(t, err, fault)
	require.Zero(t, count(t, on))
}

func TestCanceledCallersAreRolledBack(t *testing.T) {
	t.Parallel()
	on := counter(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE counter SET n = 1")
		cancel()
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, count(t, on))
	_, err = on.Exec(t.Context(), "UPDATE counter SET n = 1", pgx.QueryExecModeExec)
	require.NoError(t, err, "no lock is left")
}

func TestDeadlocksAreRetried(t *testing.T) {
	t.Parallel()
	on := counter(t)
	var both, done sync.WaitGroup
	both.Add(2)
	attempts := make([]int, 2)
	errs := make([]error, 2)
	for i := range 2 {
		done.Go(func() {
			errs[i] = postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
				attempts[i]++
				if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1 WHERE id = $1", 1+i); err != nil {
					return err
				}
				if attempts[i] == 1 {
					both.Done()
					both.Wait() // each holds the row that the other updates next
				}
				_, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1 WHERE id = $1", 2-i)
				return err
			})
		})
	}
	done.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 4, count(t, on))
	require.GreaterOrEqual(t, attempts[0]+attempts[1], 3, "one of the two is retried")
}

func TestErrorsAreDistinguished(t *testing.T) {
	t.Parallel()
	on := counter(t)
	_, err := on.Exec(t.Context(), "INSERT INTO counter VALUES (1, 1)")
	require.True(t, postgres.Violates(err, "counter_pkey"))
	require.False(t, postgres.Violates(err, db.TagsNameKey))
	require.False(t, postgres.IsUnavailable(err))
	var n int
	require.True(t, postgres.IsNotFound(on.QueryRow(t.Context(), "SELECT n FROM counter WHERE id = 9").Scan(&n)))
	for code, unavailable := range map[string]bool{"57P01": true, "57P03": true, "53300": true, "08006": true, "25006": true, "40001": true, "42P01": false, "23505": false, "57014": false} {
		require.Equal(t, unavailable, postgres.IsUnavailable(&pgconn.PgError{Code: code}), code)
	}
	closed := testdb.New(t)
	closed.Close()
	require.True(t, postgres.IsUnavailable(closed.Ping(t.Context())))
	nowhere, err := postgres.Open(t.Context(), "postgres://127.0.0.1:1/x", postgres.Options{})
	require.NoError(t, err)
	defer nowhere.Close()
	require.True(t, postgres.IsUnavailable(nowhere.Ping(t.Context())))
	require.False(t, postgres.IsUnavailable(nil))
}

func TestSessionsAreCountedByName(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	open := func(options postgres.Options) *postgres.DB {
		on, err := postgres.Open(t.Context(), url, options)
		require.NoError(t, err)
		t.Cleanup(on.Close)
		require.NoError(t, on.Ping(t.Context()))
		return on
	}
	command := open(postgres.Options{ApplicationName: "convo migrate"})
	sessions := func() int {
		n, err := command.Sessions(t.Context(), postgres.ApplicationName)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, sessions())
	server := open(postgres.Options{})
	require.Equal(t, 1, sessions())
	server.Close()
	require.Eventually(t, func() bool { return sessions() == 0 }, 10*time.Second, 5*time.Millisecond)
}
