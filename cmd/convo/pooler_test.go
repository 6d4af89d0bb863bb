package main

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestPoolerRequiresDirectURL(t *testing.T) {
	t.Parallel()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(t.TempDir(), "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop(context.WithoutCancel(t.Context()))) })
	direct := database.URL("postgres")
	environment := []string{"DATABASE_URL=" + apitest.StartPgBouncer(t, direct), "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_ADDR=127.0.0.1:0"}
	for _, args := range [][]string{{"serve"}, {"work"}, {"migrate"}, {"seed"}} {
		said, err := command(t, environment, args...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(said), "set CONVO_DATABASE_DIRECT_URL", args)
	}
	environment = append(environment, "CONVO_DATABASE_DIRECT_URL="+direct)
	server := start(t, environment, "serve")
	status, _ := server.get("/readyz", "")
	require.Equal(t, http.StatusOK, status)
}
