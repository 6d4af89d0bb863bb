package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

const (
	orderWriters = 32
	orderTime    = 25 * time.Second
	// takeover is how long events may wait for a number while workers die and stop.
	takeover = 2 * time.Second
)

// change is the nth change of a lead.
type change struct {
	lead uuid.UUID
	n    int
}

// sighting is an event as the reader has seen it.
type sighting struct {
	change

	sequence int64
	at       time.Time
}

// orderBed is a server, three workers that are killed and stopped, and clients.
type orderBed struct {
	environment []string
	server      *process
	workers     []*process
	token       string

	mu    sync.Mutex
	acked map[change]time.Time
}

// TestEventsKeepTheirOrderWhileWorkersDie changes 32 leads from 32 writers while workers
// are killed, or stopped for longer than they may be missed. A reader that polls
// GET /events sees every acknowledged change once, without a gap, and the changes of each
// lead in their order.
func TestEventsKeepTheirOrderWhileWorkersDie(t *testing.T) {
	t.Parallel()
	b := newOrderBed(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	errs := make([]error, orderWriters)
	for i := range orderWriters {
		writers.Go(func() { errs[i] = b.write(ctx, i) })
	}
	ended := make(chan struct{})
	seen := make(chan []sighting, 1)
	go func() { seen <- b.read(context.WithoutCancel(ctx), ended) }()
	kills, stops := b.harm(t)
	stop()
	writers.Wait()
	require.NoError(t, errors.Join(errs...))
	close(ended)
	all := <-seen
	lag := b.check(t, all)
	apitest.Tallyf(t, "order: %d events of %d writers during %d kills and %d stops of workers; the longest wait for a number was %s",
		len(all), orderWriters, kills, stops, lag.Round(time.Millisecond))
	require.Less(t, lag, takeover+slack)
}

func newOrderBed(t *testing.T) *orderBed {
	t.Helper()
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(t.TempDir(), "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Stop(context.WithoutCancel(t.Context())) })
	address := database.URL("postgres")
	b := &orderBed{acked: map[change]time.Time{}, environment: []string{"DATABASE_URL=" + address, "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32)}}
	b.server = start(t, b.environment, "serve", "--workers=false")
	for range 3 {
		b.workers = append(b.workers, start(t, b.environment, "work"))
	}
	f := &faults{environment: b.environment}
	f.run(t, "seed", "--leads", "1", "--workspace", "acme")
	b.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "acme", "--name", "order", "--scope", "leads:read", "--scope", "leads:write"))
	liftLimits(t, address)
	return b
}

// write creates a lead and changes it one time after the other, until ctx ends.
func (b *orderBed) write(ctx context.Context, writer int) error {
	whole := context.WithoutCancel(ctx) // a request that has begun is completed
	var lead struct {
		ID uuid.UUID `json:"id"`
	}
	body, err := b.send(whole, http.MethodPost, "/leads", `{"fields":{"n":"0"},"source":"order"}`)
	if err != nil || json.Unmarshal(body, &lead) != nil {
		return fmt.Errorf("writer %d: %w", writer, err)
	}
	b.acknowledge(change{lead.ID, 0})
	for n := 1; ctx.Err() == nil; n++ {
		if _, err := b.send(whole, http.MethodPatch, "/leads/"+lead.ID.String(), fmt.Sprintf(`{"fields":{"n":"%d"}}`, n)); err != nil {
			return fmt.Errorf("writer %d: %w", writer, err)
		}
		b.acknowledge(change{lead.ID, n})
	}
	return nil
}

func (b *orderBed) acknowledge(done change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked[done] = time.Now()
}

func (b *orderBed) send(ctx context.Context, method, path, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+b.server.addr+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d: %s", method, path, response.StatusCode, out)
	}
	return out, err
}

// read polls GET /events, each time after the last number that it has seen, until the
// writers have ended and no more events come.
func (b *orderBed) read(ctx context.Context, ended <-chan struct{}) (seen []sighting) {
	after, idle := int64(0), 0
	for idle < 100 {
		page, err := b.events(ctx, after)
		if err != nil {
			continue
		}
		seen = append(seen, page...)
		if len(page) > 0 {
			after, idle = page[len(page)-1].sequence, 0
			continue
		}
		<-time.After(20 * time.Millisecond)
		select {
		case <-ended:
			idle++
		default:
		}
	}
	return seen
}

func (b *orderBed) events(ctx context.Context, after int64) ([]sighting, error) {
	body, err := b.send(ctx, http.MethodGet, "/events?limit=200&after="+strconv.FormatInt(after, 10), "")
	if err != nil {
		return nil, err
	}
	var page []struct {
		Sequence int64 `json:"sequence"`
		Data     struct {
			Lead struct {
				ID     uuid.UUID         `json:"id"`
				Fields map[string]string `json:"fields"`
			} `json:"lead"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	seen, now := make([]sighting, len(page)), time.Now()
	for i, one := range page {
		n, err := strconv.Atoi(one.Data.Lead.Fields["n"])
		if err != nil {
			return nil, err
		}
		seen[i] = sighting{change{one.Data.Lead.ID, n}, one.Sequence, now}
	}
	return seen, nil
}

// harm kills workers, which are started again, and stops others for longer than events
// may wait. At least one worker is always left.
func (b *orderBed) harm(t *testing.T) (kills, stops int) {
	t.Helper()
	for end := time.Now().Add(orderTime); time.Now().Before(end); {
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
		i := rand.IntN(len(b.workers))
		if rand.IntN(4) > 0 {
			b.workers[i].stop(t, syscall.SIGKILL)
			b.workers[i] = start(t, b.environment, "work")
			kills++
			continue
		}
		require.NoError(t, b.workers[i].Process.Signal(syscall.SIGSTOP))
		<-time.After(2 * takeover)
		require.NoError(t, b.workers[i].Process.Signal(syscall.SIGCONT))
		stops++
	}
	return kills, stops
}

// check compares what was seen with what was acknowledged. It returns the longest time
// between the two.
func (b *orderBed) check(t *testing.T, all []sighting) (lag time.Duration) {
	t.Helper()
	latest := map[uuid.UUID]int{}
	for i, one := range all {
		require.Equal(t, int64(i+1), one.sequence, "a gap")
		if one.n == 0 {
			require.NotContains(t, latest, one.lead, "created twice")
		} else {
			require.Equal(t, latest[one.lead]+1, one.n, "the changes of a lead are in another order")
		}
		latest[one.lead] = one.n
		acked, ok := b.acked[one.change]
		require.True(t, ok, "an event of a change that was not acknowledged, though no server died")
		lag = max(lag, one.at.Sub(acked))
	}
	require.Len(t, all, len(b.acked), "a change without an event")
	return lag
}
