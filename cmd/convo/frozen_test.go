package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

const (
	shutdownTimeout = 8 * time.Second
	// slack is extra time for a busy machine.
	slack = 5 * time.Second
)

// TestFrozenConnectionsDelayForSecondsAndShutdownEnds freezes the connections to the
// database of a server and a worker: first those that are open, then all.
func TestFrozenConnectionsDelayForSecondsAndShutdownEnds(t *testing.T) {
	t.Parallel()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(t.TempDir(), "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.WithoutCancel(t.Context())) })
	proxy := apitest.NewProxy(t, database.URL("postgres"))
	f := &faults{environment: []string{
		"DATABASE_URL=" + proxy.URL, "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_ALLOWED_TARGETS=127.0.0.0/8",
		"CONVO_SHUTDOWN_TIMEOUT=" + shutdownTimeout.String(),
	}}
	server, worker := start(t, f.environment, "serve", "--workers=false"), start(t, f.environment, "work")
	f.server.Store(server)
	direct := &faults{environment: []string{"DATABASE_URL=" + database.URL("postgres")}}
	direct.run(t, "seed", "--leads", "1", "--workspace", "acme")
	f.token = strings.TrimSpace(direct.run(t, "token", "create", "--workspace", "acme", "--name", "frozen", "--scope", "leads:read", "--scope", "leads:write"))
	receiver := apitest.NewReceiver(t, nil)
	status, body := f.send(t.Context(), "/integrations/webhook", "webhook", fmt.Sprintf(`{"type":"WEBHOOK","url":%q,"events":["lead.created"]}`, receiver.URL))
	require.Equal(t, http.StatusCreated, status, "%s", body)
	lead := func(n int) {
		require.Equal(t, http.StatusCreated, f.create(t.Context(), "lead-"+strconv.Itoa(n), `{"fields":{"name":"A"}}`))
		receiver.Wait(t, func(all []apitest.Received) bool { return len(distinct(t, all)) >= n })
	}
	lead(1)

	connections := proxy.FreezeOpen()
	began := time.Now()
	lead(2)
	took := time.Since(began)
	apitest.Tallyf(t, "frozen: %d connections; the next delivery came after %s", connections, took.Round(time.Millisecond))
	// The request, the numbering of its event and its delivery each lose a statement or two.
	require.Less(t, took, 30*time.Second)

	proxy.Freeze()
	for name, p := range map[string]*process{"serve": server, "work": worker} {
		began := time.Now()
		p.stop(t, syscall.SIGTERM)
		took := time.Since(began)
		apitest.Tallyf(t, "frozen: convo %s ended %s after SIGTERM", name, took.Round(time.Millisecond))
		require.Less(t, took, shutdownTimeout+slack, "%s", p.output)
	}
}

func TestDevEndsInTimeIfItsDatabaseIsFrozen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, []string{"CONVO_DATA_DIR=" + dir, "CONVO_SHUTDOWN_TIMEOUT=" + shutdownTimeout.String()}, "dev")
	pid, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	require.NoError(t, err)
	postmaster, err := strconv.Atoi(strings.Fields(string(pid))[0])
	require.NoError(t, err)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		t.Skip("needs Linux's /proc")
	}
	all := []int{postmaster}
	for field := range strings.FieldsSeq(string(children)) {
		child, err := strconv.Atoi(field)
		require.NoError(t, err)
		all = append(all, child)
	}
	for _, one := range all {
		require.NoError(t, syscall.Kill(one, syscall.SIGSTOP))
	}
	t.Cleanup(func() {
		for _, one := range all {
			_ = syscall.Kill(one, syscall.SIGKILL)
		}
	})
	began := time.Now()
	p.stop(t, syscall.SIGTERM)
	require.Less(t, time.Since(began), shutdownTimeout+slack, "%s", p.output)
}
