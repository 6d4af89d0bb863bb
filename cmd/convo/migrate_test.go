package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrateDownRequiresConfirmationAndNoServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := dev(t, dir)
	environment := sharing(t, dir)

	said, err := command(t, environment, "migrate", "down").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "confirm with --yes")
	said, err = command(t, environment, "migrate", "down", "--yes").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "servers or workers are connected")
	status, _ := p.get("/readyz", "")
	require.Equal(t, http.StatusOK, status)

	for _, args := range [][]string{{"serve"}, {"work"}} {
		require.Zero(t, start(t, environment, args...).stop(t, syscall.SIGHUP), "SIGHUP stops it like SIGTERM")
	}
}

func TestConfirmRequiresTheDatabaseName(t *testing.T) {
	t.Parallel()
	require.NoError(t, confirm(strings.NewReader("convo\n"), io.Discard, "convo"))
	for _, typed := range []string{"", "\n", "yes\n", "y\n", "other\n"} {
		require.ErrorContains(t, confirm(strings.NewReader(typed), io.Discard, "convo"), "nothing was deleted", typed)
	}
}
