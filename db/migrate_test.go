package db_test

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

func open(t *testing.T) *pgxpool.Pool {
	t.Helper()
	on, err := postgres.Open(t.Context(), testdb.Empty(t), postgres.Options{MaxConns: 16})
	require.NoError(t, err)
	t.Cleanup(on.Close)
	return on.Pool()
}

func tables(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
		WHERE nspname IN ('public', 'river') AND relkind = 'r' AND relname <> 'goose_db_version'`).Scan(&n))
	return n
}

func TestMigrationsRunUpDownAndUp(t *testing.T) {
	t.Parallel()
	pool := open(t)
	require.NoError(t, db.Up(t.Context(), pool))
	first := tables(t, pool)
	require.Greater(t, first, 14)
	require.NoError(t, db.Up(t.Context(), pool), "a second time there is nothing to do")
	current, newest, err := db.Version(t.Context(), pool)
	require.NoError(t, err)
	require.Equal(t, newest, current)
	require.NoError(t, db.Down(t.Context(), pool))
	require.Zero(t, tables(t, pool))
	require.NoError(t, db.Up(t.Context(), pool))
	require.Equal(t, first, tables(t, pool))
}

func TestReplicasCanMigrateConcurrently(t *testing.T) {
	t.Parallel()
	pool := open(t)
	errs := make([]error, 4)
	var replicas sync.WaitGroup
	for i := range errs {
		replicas.Go(func() { errs[i] = db.Up(t.Context(), pool) })
	}
	replicas.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Positive(t, tables(t, pool))
}

// TestEveryTenantTableBeginsWithItsWorkspace checks that tables can be distributed by
// workspace, and that no foreign key can point into another workspace.
func TestEveryTenantTableBeginsWithItsWorkspace(t *testing.T) {
	t.Parallel()
	pool := open(t)
	require.NoError(t, db.Up(t.Context(), pool))
	rows, err := pool.Query(t.Context(), `
		SELECT conrelid::regclass::text, conname, contype::text, confrelid::regclass::text,
			(SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]),
			coalesce((SELECT attname FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1]), '')
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'f', 'u')
			AND conrelid::regclass::text NOT IN ('workspaces', 'users', 'sessions', 'secret_key_check', 'goose_db_version')`)
	require.NoError(t, err)
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var table, name, kind, target, first, targetFirst string
		require.NoError(t, rows.Scan(&table, &name, &kind, &target, &first, &targetFirst))
		if target == "users" {
			continue // who may be of several workspaces
		}
		require.Equal(t, "workspace_id", first, name)
		if kind == "f" && target != "workspaces" {
			require.Equal(t, "workspace_id", targetFirst, name)
		}
		seen++
	}
	require.NoError(t, rows.Err())
	require.Greater(t, seen, 30)
}
