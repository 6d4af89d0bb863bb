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

// faults is a product in real processes: a database, a server, two workers, and
// receivers of every bad kind.
type faults struct {
	dir         string
	database    *embedded.Server
	environment []string
	server      atomic.Pointer[process]
	workers     []*process
	token       string
	receivers   map[string]*apitest.Receiver
}

// TestNothingIsLostWhateverDies makes leads while processes are killed, PostgreSQL is
// stopped and receivers misbehave. At the end each receiver must have had the event of
// every committed lead, and of no other.
func TestNothingIsLostWhateverDies(t *testing.T) {
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

// liftLimits lets every workspace ask as often as it likes.
func liftLimits(t *testing.T, databaseURL string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	_, err = connection.Exec(t.Context(), "UPDATE workspaces SET rate_limit_per_minute = 1000000")
	require.NoError(t, err)
	require.NoError(t, connection.Close(t.Context()))
}

// midDelivery waits for a moment at which deliveries are under way.
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

// badReceivers are endpoints of every kind.
func badReceivers(t *testing.T) map[string]*apitest.Receiver {
	t.Helper()
	const bad = 20 // requests, after which they are well
	return map[string]*apitest.Receiver{
		"is well": apitest.NewReceiver(t, nil),
		"answers 500 nine times": apitest.NewReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
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
					return // the rest was not wanted
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
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) }) // it may be stopped
}

// stopPostgres takes the database away for a time, while the load goes on.
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
	said, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	return string(said)
}

// send posts once; 0 stands for no answer.
func (f *faults) send(ctx context.Context, path, key, body string) (int, []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.server.Load().addr+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, said
}

// create makes one lead, with the same key until it is answered.
func (f *faults) create(ctx context.Context, key, body string) (status int) {
	for ctx.Err() == nil {
		if status, _ = f.send(ctx, "/leads", key, body); status == http.StatusCreated || status == http.StatusBadRequest {
			return status
		}
	}
	return status
}

// load is a number of callers that make leads, and some that are refused.
type load struct {
	running sync.WaitGroup
	created atomic.Int64
	refused atomic.Int64
}

func (l *load) count() int64 { return l.created.Load() }

func (l *load) wait(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return l.count() >= n }, patience, 5*time.Millisecond, "leads are made no more")
}

func (f *faults) load(ctx context.Context) *load {
	l := &load{}
	pace := time.NewTicker(5 * time.Millisecond)
	for caller := range callers {
		l.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				<-pace.C
				// Not with ctx: a request that was begun is carried to its end.
				whole := context.WithoutCancel(ctx)
				key := fmt.Sprintf("%d-%d", caller, n)
				if f.create(whole, key, fmt.Sprintf(`{"fields":{"name":%q}}`, key)) == http.StatusCreated {
					l.created.Add(1)
				}
				if n%10 == 0 { // changed in a transaction, and refused at its end
					if f.refuse(whole, key) {
						l.refused.Add(1)
					}
				}
			}
		})
	}
	return l
}

// refuse asks for a change that is rolled back after its row was written.
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
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // its status is all
	return answer.StatusCode == http.StatusUnprocessableEntity
}

// check compares what was committed with what each receiver has.
func (f *faults) check(t *testing.T, l *load) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), f.database.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	leads := collect(t, connection, "SELECT id FROM leads WHERE source IS NULL AND fields ->> 'name' ~ '^([0-9]+-[0-9]+|Killed.*)$'")
	require.Len(t, leads, int(l.count())+1, "each lead was made once, however often it was asked for")
	events := collect(t, connection, "SELECT (data -> 'lead' ->> 'id')::uuid FROM events WHERE type = 'lead.created'")
	require.ElementsMatch(t, leads, events, "a committed lead has its event, and no other has")
	require.Empty(t, collect(t, connection, "SELECT id FROM events WHERE type = 'lead.updated'"), "what was rolled back left an event")
	require.Positive(t, l.refused.Load())

	var tallies strings.Builder
	fmt.Fprintf(&tallies, "faults: %d leads committed, %d changes rolled back", len(leads), l.refused.Load())
	for _, name := range slices.Sorted(maps.Keys(f.receivers)) {
		receiver := f.receivers[name]
		received := receiver.Wait(t, func(all []apitest.Received) bool { return len(distinct(t, all)) >= len(leads) })
		ids := distinct(t, received)
		require.Len(t, ids, len(leads), name)
		for _, lead := range leads {
			require.Contains(t, ids, lead, "%s has not heard of a lead", name)
		}
		fmt.Fprintf(&tallies, "\n  receiver that %-22s %d events, %d requests", name+":", len(ids), len(received))
	}
	none := func() bool {
		return len(collect(t, connection, "SELECT id FROM webhook_deliveries WHERE status <> 'SUCCEEDED'")) == 0
	}
	require.Eventually(t, none, patience, 20*time.Millisecond, "a delivery was given up, or is not acknowledged")
	apitest.Tallyf(t, "%s", &tallies)
}

// distinct returns the leads that were heard of. The same lead must always come with
// the same event.
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
			require.Equal(t, before, one.ID, "an event's id is the same over retries")
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
