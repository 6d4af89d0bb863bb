package apitest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// StartPgBouncer runs a real PgBouncer in transaction mode in front of a database, with
// three server connections, and returns the URL of the database through it.
func StartPgBouncer(t testing.TB, databaseURL string) string {
	t.Helper()
	binary, err := exec.LookPath("pgbouncer")
	require.NoError(t, err, "no PgBouncer: `make pgbouncer` installs it, or install pgbouncer")
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	password, _ := u.User.Password()
	port := freePort(t)
	dir, err := os.MkdirTemp("", "pgbouncer-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755)) // for the user that PgBouncer runs as
	file := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `[databases]
* = host=%s port=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`, u.Hostname(), u.Port(), u.User.Username(), password, port), 0o644))
	args := []string{"-q", file}
	if os.Geteuid() == 0 { // PgBouncer does not run as root
		args = append([]string{"-u", "nobody"}, args...)
	}
	server := exec.Command(binary, args...)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended
		_ = server.Wait()         // reports that kill
	})
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), u.String())
		return err == nil && conn.Close(t.Context()) == nil
	}, 10*time.Second, 20*time.Millisecond)
	return u.String()
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
