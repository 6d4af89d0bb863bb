package dispatcher_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

// neighbors are two workspaces of one server: a greedy one, and another with a webhook and
// a receiver of its own.
type neighbors struct {
	greedy, other *bed
}

func newNeighbors(t *testing.T) neighbors {
	t.Helper()
	// No attempt ends for lack of time: only a fair share lets the other's events through.
	s := apitest.New(t, apitest.Options{Workers: true, Config: apitest.Config{WebhookTimeout: time.Hour}})
	greedy := &bed{Server: s, token: s.Token(t, s.Workspace(t, "greedy"))}
	other := &bed{Server: s, token: s.Token(t, s.Workspace(t, "other")), receiver: apitest.NewReceiver(t, nil)}
	other.hook = other.subscribe(t, other.receiver.URL)
	return neighbors{greedy, other}
}

// multiply makes n further deliveries of each one that there is.
func (b *bed) multiply(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { // its event is numbered after the commit
		var found bool
		require.NoError(t, b.DB.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM webhook_deliveries)").Scan(&found))
		return found
	}, time.Minute, 5*time.Millisecond)
	b.Exec(t, `INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
		SELECT workspace_id, integration_id, gen_random_uuid(), event_sequence, created_at, created_at
		FROM webhook_deliveries, generate_series(1, $1)`, n)
	b.Exec(t, "ANALYZE webhook_deliveries")
}

// counter is an endpoint that counts requests.
type counter struct {
	URL      string
	requests atomic.Int64
}

// newCounter starts an endpoint that responds to a request when respond returns.
func newCounter(t *testing.T, respond func()) *counter {
	t.Helper()
	c := &counter{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		c.requests.Add(1)
		respond()
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *counter) waitFor(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return c.requests.Load() >= n }, 2*time.Minute, 10*time.Millisecond, "%d requests", n)
}

// TestHangingWebhooksLeaveCapacityForOthers lets one workspace have 80 webhooks to a host
// that does not respond, which is also the host of the other's webhook.
func TestHangingWebhooksLeaveCapacityForOthers(t *testing.T) {
	t.Parallel()
	n, hangs := newNeighbors(t), make(chan struct{})
	release := sync.OnceFunc(func() { close(hangs) })
	slow := newCounter(t, func() { <-hangs })
	t.Cleanup(release)
	const webhooks, each, inFlight = 80, 32, 1024
	for range webhooks {
		n.greedy.subscribe(t, slow.URL)
	}
	n.greedy.lead(t)
	n.greedy.multiply(t, each-1)
	slow.waitFor(t, inFlight)
	n.other.lead(t)
	n.other.receiver.WaitFor(t, 1)
	require.Equal(t, int64(inFlight), slow.requests.Load(), "no more than its share")
	release()
	slow.waitFor(t, webhooks*each)
}

// TestABacklogDelaysNoOther counts the deliveries of a backlog that overtake one of
// another workspace. These are the batches of the poll in progress and of the next, however
// many webhooks the backlog has.
func TestABacklogDelaysNoOther(t *testing.T) {
	t.Parallel()
	const backlog, batches = 50_000, 4 * 256
	for _, webhooks := range []int{1, 50} {
		t.Run(strconv.Itoa(webhooks), func(t *testing.T) {
			t.Parallel()
			n, fast := newNeighbors(t), newCounter(t, func() {})
			for range webhooks {
				n.greedy.subscribe(t, fast.URL)
			}
			n.greedy.lead(t)
			n.greedy.multiply(t, backlog/webhooks-1)
			fast.waitFor(t, 1000)
			for i := range 10 {
				n.other.lead(t)
				before := fast.requests.Load()
				n.other.receiver.WaitFor(t, i+1)
				require.Less(t, fast.requests.Load()-before, int64(batches))
			}
			require.Less(t, fast.requests.Load(), int64(backlog), "the backlog lasts longer")
		})
	}
}
