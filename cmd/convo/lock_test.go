package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecondDevDoesNotStopTheFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := dev(t, dir)
	said, err := command(t, []string{"CONVO_DATA_DIR=" + dir, "CONVO_ADDR=127.0.0.1:0"}, "dev").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "another convo dev uses the data in "+dir)
	require.Contains(t, string(said), "process "+strconv.Itoa(first.Process.Pid)+" at http://"+first.addr)

	elsewhere := filepath.Join(t.TempDir(), "data")
	said, err = command(t, []string{"CONVO_DATA_DIR=" + elsewhere, "CONVO_ADDR=" + first.addr}, "dev").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "address already in use")
	require.NoDirExists(t, filepath.Join(elsewhere, "postgres"), "the address is bound before a database is created")

	status, body := first.get("/readyz", "")
	require.Equal(t, http.StatusOK, status, "%s", body)
	require.FileExists(t, filepath.Join(dir, urlFile), "the first one's database can still be found")
	_, err = os.Stat(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	require.NoError(t, err, "the first one's database still runs")

	require.Zero(t, first.stop(t, syscall.SIGHUP), "%s", first.output)
	require.NoFileExists(t, filepath.Join(dir, "postgres", "data", "postmaster.pid"), "SIGHUP stops it like SIGTERM")
}

// TestADeadProcessIsNotNamed: between the lock and the address of a new process, the name of a
// killed one was still there.
func TestADeadProcessIsNotNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := filepath.Join(dir, ownerFile)
	require.NoError(t, os.WriteFile(owner, []byte("process 4711 at http://127.0.0.1:8080\n"), 0o600))
	release, err := lockDataDir(dir)
	require.NoError(t, err)
	_, err = lockDataDir(dir)
	require.ErrorContains(t, err, "which is still starting")
	require.NotContains(t, err.Error(), "4711")
	require.NoError(t, writeOwner(dir, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
	_, err = lockDataDir(dir)
	require.ErrorContains(t, err, "process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, release())
	require.NoFileExists(t, owner)
}
