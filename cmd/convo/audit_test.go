package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

const auditKills = 8

// auditBed is a server that is killed, and what its clients were told.
type auditBed struct {
	environment []string
	database    *embedded.Server
	server      atomic.Pointer[process]
	token       string

	mu    sync.Mutex
	acked []string // the request IDs of changes with a response
}

func newAuditBed(t *testing.T) *auditBed {
	t.Helper()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(t.TempDir(), "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.WithoutCancel(t.Context())) })
	b := &auditBed{database: database, environment: []string{"DATABASE_URL=" + database.URL("postgres"), "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32)}}
	b.server.Store(start(t, b.environment, "serve"))
	f := &faults{environment: b.environment}
	f.run(t, "seed", "--leads", "1", "--workspace", "acme")
	b.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "acme", "--name", "audit", "--scope", "leads:write", "--scope", "conversations:write"))
	liftLimits(t, database.URL("postgres"))
	return b
}

// send sends a change, and notes its request ID if it succeeds.
func (b *auditBed) send(ctx context.Context, to *process, path, requestID, key, body string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.addr+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", requestID)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status is used
	if response.StatusCode != http.StatusCreated {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked = append(b.acked, requestID)
	return true
}

// recorded returns how often each request is in the audit log, once all events have
// numbers.
func (b *auditBed) recorded(t *testing.T) map[string]int {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), b.database.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	require.Eventually(t, func() bool {
		var waiting int
		err := connection.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox").Scan(&waiting)
		return err == nil && waiting == 0
	}, patience, 20*time.Millisecond)
	rows, err := connection.Query(t.Context(), "SELECT request_id FROM audit_entries")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	times := map[string]int{}
	for _, one := range ids {
		times[one]++
	}
	return times
}

// TestAcknowledgedChangesAreInTheAuditLog kills the server again and again under load.
func TestAcknowledgedChangesAreInTheAuditLog(t *testing.T) {
	t.Parallel()
	b := newAuditBed(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for writer := range 8 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id, key := fmt.Sprintf("%d-%d", writer, n), ""
				if n%3 == 0 {
					key = id
				}
				path, body := "/leads", `{"fields":{"name":"A"}}`
				if n%4 == 0 {
					path, body = "/tags", fmt.Sprintf(`{"name":%q}`, id)
				}
				b.send(context.WithoutCancel(ctx), b.server.Load(), path, id, key, body)
			}
		})
	}
	for range auditKills {
		<-time.After(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		b.server.Load().stop(t, syscall.SIGKILL)
		b.server.Store(start(t, b.environment, "serve"))
	}
	stop()
	writers.Wait()
	times := b.recorded(t)
	for _, id := range b.acked {
		require.Equal(t, 1, times[id], "%s was acknowledged", id)
	}
	require.Greater(t, len(b.acked), auditKills)
	apitest.Tallyf(t, "audit: all %d acknowledged changes are recorded after %d kills", len(b.acked), auditKills)
}

// TestAChangeAndItsAuditEntryAreCommittedTogether kills a server before and after the
// commit of changes with and without an Idempotency-Key.
func TestAChangeAndItsAuditEntryAreCommittedTogether(t *testing.T) {
	t.Parallel()
	killer := buildKiller(t)
	b := newAuditBed(t)
	for _, c := range []struct {
		point, path, key, body string
		want                   int
	}{
		{failpoint.ChangeMade, "/tags", "", `{"name":"lost"}`, 0},
		{failpoint.ChangeMade, "/leads", "key-1", `{"fields":{"name":"Lost"}}`, 0},
		{failpoint.Committed, "/tags", "", `{"name":"kept"}`, 1},
		{failpoint.Committed, "/tags", "key-2", `{"name":"kept with a key"}`, 1},
		{failpoint.Committed, "/leads", "", `{"fields":{"name":"Kept"}}`, 1},
		{failpoint.Committed, "/leads", "key-3", `{"fields":{"name":"Kept"}}`, 1},
	} {
		id := strings.Trim(c.point+c.path+c.key, "/")
		id = strings.ReplaceAll(id, "/", ".")
		doomed := startBinary(t, killer, append(slices.Clip(b.environment), failpoint.Variable+"="+c.point), "serve", "--workers=false")
		require.False(t, b.send(t.Context(), doomed, c.path, id, c.key, c.body), id)
		<-doomed.ended
		require.Equal(t, c.want, b.recorded(t)[id], id)
	}
}
