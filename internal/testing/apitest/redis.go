package apitest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Redis is a running Redis server and a client for it.
type Redis struct {
	*redis.Client

	URL    string
	server *exec.Cmd
}

// StartRedis runs a real Redis server for one test.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	// A Unix socket, because a free port may be taken by another process. Its path must
	// be short.
	dir, err := os.MkdirTemp("", "redis-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	socket := filepath.Join(dir, "socket")
	server := exec.Command(redisBinary(t), "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	require.NoError(t, server.Start())
	r := &Redis{Client: redis.NewClient(&redis.Options{Network: "unix", Addr: socket}), URL: "unix://" + socket, server: server}
	t.Cleanup(r.Kill)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	require.Eventually(t, func() bool { return r.Ping(t.Context()).Err() == nil }, 10*time.Second, 5*time.Millisecond)
	return r
}

// Freeze makes the server hang, with its connections open, until Thaw.
func (r *Redis) Freeze(t testing.TB) {
	t.Helper()
	require.NoError(t, r.server.Process.Signal(syscall.SIGSTOP))
}

// Thaw resumes a frozen server.
func (r *Redis) Thaw(t testing.TB) {
	t.Helper()
	require.NoError(t, r.server.Process.Signal(syscall.SIGCONT))
}

// Kill stops the server.
func (r *Redis) Kill() {
	_ = r.server.Process.Kill() // it may have ended
	_ = r.server.Wait()         // reports that kill
}

func redisBinary(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	kept := filepath.Join(Root(t), ".cache", "redis", "redis-server")
	_, err := os.Stat(kept)
	require.NoError(t, err, "no Redis server: `make redis` fetches one, or install redis-server")
	return kept
}

// Root returns the directory of the module, which holds go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test's directory")
		dir = parent
	}
}
