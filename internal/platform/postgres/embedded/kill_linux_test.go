package embedded_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

func TestACrashedServerRecovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	exec(t, server, "CREATE TABLE kept ()")
	require.NoError(t, server.Kill(t.Context()))
	exec(t, start(t, dir), "TABLE kept")
}

// TestAStandbyTakesOver kills a primary once its standby has replayed a change.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := start(t, t.TempDir())
	exec(t, primary, "CREATE TABLE kept ()")
	standby, err := embedded.Standby(t.Context(), primary, primary.URL("postgres"), embedded.Options{Dir: t.TempDir()})
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("pg_basebackup is not part of a downloaded PostgreSQL")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = standby.Stop(t.Context()) }) // the directory is removed in any case
	exec(t, standby, "TABLE kept")
	exec(t, primary, "CREATE TABLE streamed ()")
	require.Eventually(t, func() bool { return tableExists(t, standby, "streamed") }, 30*time.Second, 20*time.Millisecond)
	require.NoError(t, primary.Kill(t.Context()))
	require.NoError(t, standby.Promote(t.Context()))
	exec(t, standby, "CREATE TABLE written ()")
}

// tableExists reports whether a table exists.
func tableExists(t *testing.T, server *embedded.Server, table string) (exists bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", table).Scan(&exists))
	return exists
}
