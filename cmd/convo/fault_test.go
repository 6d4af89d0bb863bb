package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

const (
	outage   = 10 * time.Second
	patience = 2 * time.Minute
	callers  = 4
)

// faults runs the system in real processes: a database, a server, two workers, and
// receivers that misbehave in different ways.
type faults struct {
	dir         string
	database    *embedded.Server
	environment []string
	server      atomic.Pointer[process]
	workers     []*process
	token       string
	receivers   map[string]*apitest.Receiver
}

// TestDeliveriesSurviveCrashes creates leads while processes are killed, PostgreSQL is
// stopped and receivers misbehave. In the end each receiver must have received the event
// of every committed lead, and no others.
func TestDeliveriesSurviveCrashes(t *testing.T) {
	t.Parallel()
	f := startFaults(t)
	loadCtx, stopLoad := context.WithCancel(t.Context())
	defer stopLoad()
	load := f.load(loadCtx)

	load.wait(t, 100)
	f.midDelivery(t)
	f.workers[0].stop(t, syscall.SIGKILL)
	f.workers[0] = start(t, f.environment, "work")
	load.wait(t, load.count()+50)

	after := f.create(t.Context(), "after-its-201", `{"fields":{"name":"Killed after its 201"}}`)
	require.Equal(t, http.StatusCreated, after)
	f.server.Load().stop(t, syscall.SIGKILL)
	f.server.Store(start(t, f.environment, "serve", "--workers=false"))
	load.wait(t, load.count()+50)

	f.stopPostgres(t, outage)
	load.wait(t, load.count()+50)
	stopLoad()
	load.running.Wait()
	f.check(t, load)
}

// liftLimits effectively disables the rate limit of all workspaces.
func liftLimits(t *testing.T, databaseURL string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), "UPDATE workspaces SET rate_limit_per_minute = 1000000")
	require.NoError(t, err)
	require.NoError(t, connection.Close(t.Context()))
}

// midDelivery waits until deliveries are in flight.
func (f *faults) midDelivery(t *testing.T) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), f.database.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	require.Eventually(t, func() bool {
		return len(collect(t, connection, "SELECT id FROM webhook_deliveries WHERE status = 'PENDING' AND leased_until > now()")) > 0
	}, patience, time.Millisecond)
}

func startFaults(t *testing.T) *faults {
	t.Helper()
	f := &faults{dir: t.TempDir()}
	f.startPostgres(t, 0)
	address := f.database.URL("postgres")
	f.environment = []string{
		"DATABASE_URL=" + address, "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_ALLOWED_TARGETS=127.0.0.0/8",
		"CONVO_WEBHOOK_TIMEOUT=1s", "CONVO_WEBHOOK_RETRIES=" + strings.TrimSuffix(strings.Repeat("100ms,", 30)+strings.Repeat("1s,", 60), ","),
	}
	f.server.Store(start(t, f.environment, "serve", "--workers=false"))
	f.workers = []*process{start(t, f.environment, "work"), start(t, f.environment, "work")}
	f.run(t, "seed", "--leads", "1", "--workspace", "acme")
	f.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "acme", "--name", "faults", "--scope", "leads:read", "--scope", "leads:write"))
	liftLimits(t, address)
	f.receivers = badReceivers(t)
	for name, receiver := range f.receivers {
		status, body := f.send(t.Context(), "/integrations/webhook", "webhook-"+strings.ReplaceAll(name, " ", "-"), fmt.Sprintf(`{"type":"WEBHOOK","url":%q,"events":["lead.created"]}`, receiver.URL))
		require.Equal(t, http.StatusCreated, status, "%s", body)
	}
	return f
}

// badReceivers returns endpoints that fail in different ways, and a healthy one.
func badReceivers(t *testing.T) map[string]*apitest.Receiver {
	t.Helper()
	const bad = 20 // failing requests, after which they recover
	return map[string]*apitest.Receiver{
		"is healthy": apitest.NewReceiver(t, nil),
		"returns 500 nine times": apitest.NewReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < 9 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}),
		"hangs": apitest.NewReceiver(t, func(n int, _ http.ResponseWriter, r *http.Request) {
			if n < bad {
				<-r.Context().Done()
			}
		}),
		"closes mid-response": apitest.NewReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n < bad {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte("half"))
				panic(http.ErrAbortHandler)
			}
		}),
		"sends 10 MB back": apitest.NewReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 10 {
				if _, err := w.Write(chunk); err != nil {
					return // the sender stopped reading
				}
			}
		}),
	}
}

func (f *faults) startPostgres(t *testing.T, port int) {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(f.dir, "postgres"), Port: port})
	require.NoError(t, err)
	f.database = server
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) }) // it may have been stopped already
}

// stopPostgres stops the database for a time while the load continues.
func (f *faults) stopPostgres(t *testing.T, length time.Duration) {
	t.Helper()
	address, err := url.Parse(f.database.URL("postgres"))
	require.NoError(t, err)
	port, err := strconv.Atoi(address.Port())
	require.NoError(t, err)
	require.NoError(t, f.database.Stop(t.Context()))
	<-time.After(length)
	f.startPostgres(t, port)
}

func (f *faults) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := command(t, f.environment, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	return string(out)
}

// send sends one POST request. Status 0 means that there is no response.
func (f *faults) send(ctx context.Context, path, key, body string) (int, []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.server.Load().addr+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, out
}

// create creates a lead, retrying with the same key until there is a response.
func (f *faults) create(ctx context.Context, key, body string) (status int) {
	for ctx.Err() == nil {
		if status, _ = f.send(ctx, "/leads", key, body); status == http.StatusCreated || status == http.StatusBadRequest {
			return status
		}
	}
	return status
}

// load runs callers that create leads and send some updates that are rejected.
type load struct {
	running sync.WaitGroup
	created atomic.Int64
	refused atomic.Int64
}

func (l *load) count() int64 { return l.created.Load() }

func (l *load) wait(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return l.count() >= n }, patience, 5*time.Millisecond, "no more leads are created")
}

func (f *faults) load(ctx context.Context) *load {
	l := &load{}
	ticker := time.NewTicker(20 * time.Millisecond)
	for caller := range callers {
		l.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				<-ticker.C
				// A request that has started must complete after ctx is canceled.
				whole := context.WithoutCancel(ctx)
				key := fmt.Sprintf("%d-%d", caller, n)
				if f.create(whole, key, fmt.Sprintf(`{"fields":{"name":%q}}`, key)) == http.StatusCreated {
					l.created.Add(1)
				}
				if n%10 == 0 { // changed in a transaction that is rolled back
					if f.refuse(whole, key) {
						l.refused.Add(1)
					}
				}
			}
		})
	}
	return l
}

// refuse sends an update that is rolled back after its row was written.
func (f *faults) refuse(ctx context.Context, key string) bool {
	status, body := f.send(ctx, "/leads", key, fmt.Sprintf(`{"fields":{"name":%q}}`, key)) // replayed
	var lead struct {
		ID uuid.UUID `json:"id"`
	}
	if status != http.StatusCreated || json.Unmarshal(body, &lead) != nil {
		return false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "http://"+f.server.Load().addr+"/api/v1/leads/"+lead.ID.String(), strings.NewReader(`{"fields":{"name":null}}`))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status is used
	return response.StatusCode == http.StatusUnprocessableEntity
}

// check compares the committed leads with what each receiver has received.
func (f *faults) check(t *testing.T, l *load) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), f.database.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	leads := collect(t, connection, "SELECT id FROM leads WHERE source IS NULL AND fields ->> 'name' ~ '^([0-9]+-[0-9]+|Killed.*)$'")
	require.Len(t, leads, int(l.count())+1, "each lead is created once, regardless of retries")
	events := collect(t, connection, "SELECT (data -> 'lead' ->> 'id')::uuid FROM events WHERE type = 'lead.created'")
	require.ElementsMatch(t, leads, events, "exactly the committed leads have events")
	require.Empty(t, collect(t, connection, "SELECT id FROM events WHERE type = 'lead.updated'"), "a rolled back change left an event")
	require.Positive(t, l.refused.Load())

	var tallies strings.Builder
	fmt.Fprintf(&tallies, "faults: %d leads committed, %d changes rolled back", len(leads), l.refused.Load())
	for _, name := range slices.Sorted(maps.Keys(f.receivers)) {
		receiver := f.receivers[name]
		received := receiver.Wait(t, func(all []apitest.Received) bool {
			return len(all) >= len(leads) && len(distinct(t, all)) >= len(leads)
		})
		ids := distinct(t, received)
		require.Len(t, ids, len(leads), name)
		for _, lead := range leads {
			require.NotZero(t, ids[lead], "%s did not receive a lead", name)
		}
		fmt.Fprintf(&tallies, "\n  receiver that %-22s %d events, %d requests", name+":", len(ids), len(received))
	}
	none := func() bool {
		return len(collect(t, connection, "SELECT id FROM webhook_deliveries WHERE status <> 'SUCCEEDED'")) == 0
	}
	require.Eventually(t, none, patience, 20*time.Millisecond, "a delivery failed or was not acknowledged")
	apitest.Tallyf(t, "%s", &tallies)
}

// distinct returns the received leads with their event IDs. The same lead must always
// have the same event.
func distinct(t *testing.T, all []apitest.Received) map[uuid.UUID]uuid.UUID {
	t.Helper()
	ids := map[uuid.UUID]uuid.UUID{}
	for _, one := range all {
		var data struct {
			Lead struct {
				ID uuid.UUID `json:"id"`
			} `json:"lead"`
		}
		require.NoError(t, json.Unmarshal(one.Data, &data))
		if before, ok := ids[data.Lead.ID]; ok {
			require.Equal(t, before, one.ID, "retries keep the event ID")
		}
		ids[data.Lead.ID] = one.ID
	}
	return ids
}

func collect(t *testing.T, connection *pgx.Conn, query string) []uuid.UUID {
	t.Helper()
	rows, err := connection.Query(t.Context(), query)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	require.NoError(t, err)
	return ids
}
