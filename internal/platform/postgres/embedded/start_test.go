package embedded_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

func setting(t *testing.T, server *embedded.Server, name string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value))
	return value
}

// TestTheServerIsPrivateAndDurable also starts over a set-up that was interrupted.
func TestTheServerIsPrivateAndDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700))
	server := start(t, dir)
	require.NoDirExists(t, filepath.Join(dir, "data.new"))
	for name, want := range map[string]string{"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "on", "synchronous_commit": "on", "TimeZone": "UTC"} {
		require.Equal(t, want, setting(t, server, name), name)
	}
	u, err := url.Parse(server.URL("postgres"))
	require.NoError(t, err)
	password, _ := u.User.Password()
	require.Len(t, password, 32)
	u.User = url.UserPassword(u.User.Username(), "wrong")
	_, err = pgx.Connect(t.Context(), u.String())
	require.Error(t, err, "a wrong password is rejected")
	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)
}

func TestAVolatileServerListensOnTheGivenPort(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	_, err = embedded.Start(t.Context(), embedded.Options{Dir: dir, Port: port, Volatile: true})
	require.ErrorContains(t, err, filepath.Join(dir, "postgres.log"), "a port in use is an error that names the log")
	require.NoError(t, listener.Close())
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Port: port, Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop(t.Context()) }) // the directory is removed in any case
	require.Contains(t, server.URL("postgres"), ":"+strconv.Itoa(port)+"/postgres")
	require.Equal(t, "off", setting(t, server, "fsync"))
}
