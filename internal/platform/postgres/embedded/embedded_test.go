package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

func start(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Logf: t.Logf})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(t.Context()) }) // where the test has not
	return server
}

func exec(t *testing.T, server *embedded.Server, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func TestDataIsKeptBetweenStarts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a name with spaces")
	first := start(t, dir)
	exec(t, first, "CREATE TABLE kept ()")
	require.NoError(t, first.Stop(t.Context()))
	require.NoFileExists(t, filepath.Join(dir, "data", "postmaster.pid"))
	second := start(t, dir)
	exec(t, second, "TABLE kept")
	require.NoError(t, second.Stop(t.Context()))
}

func TestOrphanedServerIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exec(t, start(t, dir), "CREATE TABLE kept ()")
	exec(t, start(t, dir), "TABLE kept")
}

func TestStartReportsAnUnusableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := embedded.Start(t.Context(), embedded.Options{Dir: file})
	require.ErrorContains(t, err, "data directory")
}
