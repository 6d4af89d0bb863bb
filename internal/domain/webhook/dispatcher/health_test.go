package dispatcher_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

// countUpdates makes the database count the statements that update webhooks.
func (b *bed) countUpdates(t *testing.T) {
	t.Helper()
	b.Exec(t, "CREATE TABLE updates (n int)")
	b.Exec(t, `CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO updates VALUES (1); RETURN NULL; END $$`)
	b.Exec(t, "CREATE TRIGGER counts AFTER UPDATE ON integrations FOR EACH STATEMENT EXECUTE FUNCTION count_update()")
}

// number returns the number that a query selects.
func (b *bed) number(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.DB.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// TestTheHealthOfManyEndpointsTakesFewStatements locks all webhooks while they fail, so that
// the outcomes are recorded in one batch or two. Later all of them recover.
func TestTheHealthOfManyEndpointsTakesFewStatements(t *testing.T) {
	t.Parallel()
	const webhooks, few = 60, 20
	var healthy atomic.Bool
	b := newBed(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !healthy.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	for range webhooks - 1 {
		b.subscribe(t, b.receiver.URL)
	}
	b.countUpdates(t)
	whileLocked := func(act func()) {
		tx, err := b.DB.Pool().Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT FROM integrations ORDER BY workspace_id, id FOR NO KEY UPDATE")
		require.NoError(t, err)
		act()
		require.NoError(t, tx.Commit(t.Context()))
	}

	whileLocked(func() {
		b.lead(t)
		b.receiver.WaitFor(t, webhooks)
	})
	require.Eventually(t, func() bool {
		return b.number(t, "SELECT count(*) FROM integrations WHERE status = 'ERROR' AND failures = 1 AND error_message LIKE '%500%'") == webhooks
	}, time.Minute, 5*time.Millisecond)
	require.Less(t, b.number(t, "SELECT count(*) FROM updates"), few)

	healthy.Store(true)
	whileLocked(func() {
		b.Clock.Advance(10 * time.Second)
		b.receiver.WaitFor(t, 2*webhooks)
	})
	require.Eventually(t, func() bool {
		return b.number(t, "SELECT count(*) FROM integrations WHERE status = 'CONNECTED' AND failures = 0 AND error_message IS NULL") == webhooks
	}, time.Minute, 5*time.Millisecond)
	require.Less(t, b.number(t, "SELECT count(*) FROM updates"), 2*few)
}

// TestEachEndpointOfABatchHasItsOwnHealth has one that fails until it is paused, one that is
// gone, and one that is well.
func TestEachEndpointOfABatchHasItsOwnHealth(t *testing.T) {
	t.Parallel()
	b := newBed(t, always(http.StatusInternalServerError))
	gone := b.subscribe(t, apitest.NewReceiver(t, always(http.StatusGone)).URL)
	well := apitest.NewReceiver(t, nil)
	fine := b.subscribe(t, well.URL)
	const leads = 10
	for range leads {
		b.lead(t)
	}
	well.WaitFor(t, leads)
	state := func(id any) (state string) {
		require.NoError(t, b.DB.QueryRow(t.Context(), "SELECT concat_ws(' ', status, error_code, paused_until > $2) FROM integrations WHERE id = $1", id, b.Clock.Now()).Scan(&state))
		return state
	}
	require.Eventually(t, func() bool {
		return state(b.hook) == "ERROR webhook.failing t" && state(gone) == "DISABLED webhook.disabled"
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, "CONNECTED", state(fine))
}
