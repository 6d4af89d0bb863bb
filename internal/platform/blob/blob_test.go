package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/blob"
)

// TestDirectory and TestObjectStorage run the same tests on both stores.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "files")
	store, err := blob.Open(t.Context(), dir)
	require.NoError(t, err)
	keepsFiles(t, store)
	for _, key := range []string{"../outside", "a/../../outside", "/etc/passwd"} {
		require.Error(t, store.Put(t.Context(), key, strings.NewReader("x"), 1), key)
		_, err := store.Open(t.Context(), key)
		require.Error(t, err, key)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.part"))
	require.NoError(t, err)
	require.Empty(t, left, "no partial file is left")
}

func TestObjectStorage(t *testing.T) {
	t.Parallel()
	address := startS3(t)
	store, err := blob.Open(t.Context(), address+"/convo?insecure=true&region=us-east-1")
	require.NoError(t, err)
	keepsFiles(t, store)
	_, err = blob.Open(t.Context(), address+"/absent?insecure=true&region=us-east-1")
	require.ErrorContains(t, err, "does not exist")
	_, err = blob.Open(t.Context(), strings.Replace(address, "secret-of-test", "wrong", 1)+"/convo?insecure=true&region=us-east-1")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "wrong", "errors contain no secret")
}

func keepsFiles(t *testing.T, store blob.Store) {
	t.Helper()
	content := bytes.Repeat([]byte("0123456789abcdef"), 10<<16) // 10 MiB
	for _, size := range []int64{int64(len(content)), -1} {
		require.NoError(t, store.Put(t.Context(), "space/one", bytes.NewReader(content), size))
		file, err := store.Open(t.Context(), "space/one")
		require.NoError(t, err)
		got, err := io.ReadAll(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.True(t, bytes.Equal(content, got))
	}
	_, err := store.Open(t.Context(), "space/two")
	require.ErrorIs(t, err, blob.ErrNotFound)

	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("the connection was reset")))
	require.Error(t, store.Put(t.Context(), "space/three", broken, 8))
	_, err = store.Open(t.Context(), "space/three")
	require.ErrorIs(t, err, blob.ErrNotFound, "a partial file is not stored")

	require.NoError(t, store.Delete(t.Context(), "space/one"))
	require.NoError(t, store.Delete(t.Context(), "space/one"), "deleting twice is no error")
	_, err = store.Open(t.Context(), "space/one")
	require.ErrorIs(t, err, blob.ErrNotFound)
}

// startS3 runs an S3-compatible server with the bucket convo, and returns its address.
func startS3(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "convo"), 0o700))
	server := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "tool", "-modfile=../../../scripts/tools/s3.mod", "versitygw",
		"--port", address, "--access", "test", "--secret", "secret-of-test", "--quiet", "posix", "--sidecar", t.TempDir(), dir)
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	server.WaitDelay = time.Second
	server.Cancel = func() error { return server.Process.Kill() }
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // go tool forwards it
		_ = server.Wait()                       // by that signal
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, 5*time.Minute, 50*time.Millisecond, "%s", &said)
	return "s3://test:secret-of-test@" + address
}
