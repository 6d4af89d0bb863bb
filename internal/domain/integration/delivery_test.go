package integration_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func (f *fixture) status(t *testing.T, delivery uuid.UUID) (status string) {
	t.Helper()
	f.Scan(t, []any{&status}, "SELECT status FROM webhook_deliveries WHERE id = $1", delivery)
	return status
}

func TestRedeliverMakesADeliveryDueNow(t *testing.T) {
	t.Parallel()
	f := setup(t)
	webhook, _ := f.webhook(t, address)
	lease := seed.Start.Add(time.Hour)
	for name, one := range map[string]struct {
		status        api.WebhookDeliveryStatus
		lease, leased *time.Time
	}{
		"failed":    {api.WebhookDeliveryStatusFAILED, nil, nil},
		"succeeded": {api.WebhookDeliveryStatusSUCCEEDED, nil, nil},
		"waiting":   {api.WebhookDeliveryStatusPENDING, nil, nil},
		"in flight": {api.WebhookDeliveryStatusPENDING, &lease, &lease},
		"a lease of a finished delivery is dropped": {api.WebhookDeliveryStatusFAILED, &lease, nil},
	} {
		delivery := f.deliver(t, webhook.ID, one.status, one.lease)
		f.Clock.Advance(time.Second)
		row, err := f.integrations.Redeliver(t.Context(), f.DB, f.Ours, webhook.ID, delivery, all)
		require.NoError(t, err, name)
		got := row.WebhookDelivery
		require.Equal(t, api.WebhookDeliveryStatusPENDING, got.Status, name)
		require.Equal(t, f.Clock.Now(), got.NextAttemptAt.UTC(), name)
		require.Zero(t, got.Tries, "%s: the whole schedule again", name)
		require.JSONEq(t, `[{"durationMs":1}]`, string(got.Attempts), "%s: the log of attempts is kept", name)
		if one.leased == nil {
			require.Nil(t, got.LeasedUntil, name)
		} else {
			require.Equal(t, *one.leased, got.LeasedUntil.UTC(), "%s: not sent twice concurrently", name)
		}
	}
}

func TestRedeliverFindsADeliveryOnlyUnderItsWebhook(t *testing.T) {
	t.Parallel()
	f := setup(t)
	webhook, _ := f.webhook(t, address)
	other, _ := f.webhook(t, address)
	delivery := f.deliver(t, webhook.ID, api.WebhookDeliveryStatusFAILED, nil)
	for _, one := range [][3]uuid.UUID{
		{f.Ours, other.ID, delivery}, {f.Theirs, webhook.ID, delivery}, {f.Ours, webhook.ID, uuid.New()}, {f.Ours, f.crm(t, "CONNECTED"), delivery},
	} {
		_, err := f.integrations.Redeliver(t.Context(), f.DB, one[0], one[1], one[2], all)
		require.ErrorIs(t, err, postgres.ErrNotFound)
	}
	require.Equal(t, "FAILED", f.status(t, delivery))
}

func TestDeliveriesArePagedPerWebhook(t *testing.T) {
	t.Parallel()
	f := setup(t)
	webhook, _ := f.webhook(t, address)
	other, _ := f.webhook(t, address)
	var want, got []uuid.UUID
	for range 5 {
		want = append(want, f.deliver(t, webhook.ID, api.WebhookDeliveryStatusPENDING, nil))
		f.deliver(t, other.ID, api.WebhookDeliveryStatusPENDING, nil)
	}
	slices.Reverse(want)
	request := page.Request{Limit: new(int32(2))}
	for {
		rows, err := f.integrations.Deliveries(t.Context(), f.Ours, webhook.ID, all, request)
		require.NoError(t, err)
		for _, row := range rows.Rows {
			require.Equal(t, api.EventTypeMessageCreated, row.EventType)
			got = append(got, row.WebhookDelivery.ID)
		}
		if request.Cursor = rows.Next; request.Cursor == nil {
			break
		}
		_, err = f.integrations.Deliveries(t.Context(), f.Ours, other.ID, all, request)
		require.ErrorIs(t, err, page.ErrInvalidCursor, "a cursor of another webhook")
		f.deliver(t, webhook.ID, api.WebhookDeliveryStatusPENDING, nil)
	}
	require.Equal(t, want, got)
}

// TestDeliveriesOfEventsThatATokenCannotReadAreOmitted has many of them between the others.
func TestDeliveriesOfEventsThatATokenCannotReadAreOmitted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	webhook, _ := f.webhook(t, address) // subscribed to lead.created
	const rows = 2500
	f.Exec(t, `INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
		SELECT $1, n, gen_random_uuid(), CASE WHEN n IN (3, 1200, 2499, 2500) THEN 'lead.created' ELSE 'message.created' END, '{}', $2
		FROM generate_series(1, $3::int) AS n`, f.Ours, f.Clock.Now(), rows)
	f.Exec(t, `INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, status, next_attempt_at, created_at)
		SELECT workspace_id, $1, ('00000000-0000-7000-8000-' || lpad(sequence::text, 12, '0'))::uuid, sequence, 'SUCCEEDED', occurred_at, occurred_at
		FROM events`, webhook.ID)
	read := func(has integration.Has, limit int32) (sequences []int64, pages int) {
		request := page.Request{Limit: &limit}
		for {
			found, err := f.integrations.Deliveries(t.Context(), f.Ours, webhook.ID, has, request)
			require.NoError(t, err)
			require.LessOrEqual(t, len(found.Rows), int(limit))
			for _, row := range found.Rows {
				sequences = append(sequences, row.WebhookDelivery.EventSequence)
			}
			pages++
			if request.Cursor = found.Next; request.Cursor == nil {
				return sequences, pages
			}
		}
	}
	for _, limit := range []int32{1, 2, 3, 200} {
		sequences, pages := read(only(api.ScopeLeadsRead), limit)
		require.Equal(t, []int64{2500, 2499, 1200, 3}, sequences)
		require.LessOrEqual(t, pages, 6)
		require.Greater(t, pages, 1, "a page visits a bounded number of deliveries")
	}
	sequences, pages := read(all, 200)
	require.Len(t, sequences, rows)
	require.Equal(t, 13, pages, "only the last page is short")
}

// TestPingIsSentToOneWebhookAndRecorded also checks that a failed ping is not retried.
func TestPingIsSentToOneWebhookAndRecorded(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]api.WebhookDeliveryStatus{
		http.StatusNoContent: api.WebhookDeliveryStatusSUCCEEDED, http.StatusServiceUnavailable: api.WebhookDeliveryStatusFAILED,
	} {
		f := setup(t)
		bodies := make(chan string, 2)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies <- string(body)
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		webhook, _ := f.webhook(t, server.URL)
		_, _, err := f.integrations.CreateWebhook(t.Context(), f.DB, f.Ours, all, integration.NewWebhook{URL: server.URL, Events: []string{"webhook.ping"}})
		require.NoError(t, err)
		attempt, err := f.integrations.Ping(t.Context(), f.Ours, webhook.ID, all)
		require.NoError(t, err)
		require.Equal(t, status, attempt.Status)
		require.Len(t, bodies, 1, "not to other webhooks, even if they subscribe to it")
		feed := &event.Feed{DB: f.DB, Types: f.integrations.Types}
		rows, _, err := feed.After(t.Context(), f.Ours, all, 0, 10)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, string(event.AppendJSON(nil, rows[0])), <-bodies, "the body is the event of the feed")
		deliveries, err := f.integrations.Deliveries(t.Context(), f.Ours, webhook.ID, all, page.Request{})
		require.NoError(t, err)
		require.Len(t, deliveries.Rows, 1)
		require.Equal(t, want, deliveries.Rows[0].WebhookDelivery.Status)
		require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM webhook_deliveries"))
		require.Zero(t, f.Count(t, "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING'"), "nothing is left to retry")
	}
}

func TestNothingIsSentToATemporaryWebhook(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(server.Close)
	row, _, err := f.integrations.CreateWebhook(t.Context(), f.DB, f.Ours, all, integration.NewWebhook{URL: server.URL, Events: []string{"lead.created"}, Temporary: true})
	require.NoError(t, err)
	require.Equal(t, seed.Start.Add(integration.TemporaryFor), row.ExpiresAt.UTC())
	attempt, err := f.integrations.Ping(t.Context(), f.Ours, row.ID, all)
	require.NoError(t, err)
	require.False(t, attempt.OK())
	require.NotEmpty(t, attempt.Error)
	require.Zero(t, calls.Load())
	require.Len(t, f.Events(t, f.Ours), 1, "it is read from the feed")
	private := "http://10.0.0.1/never-called"
	_, err = f.integrations.Update(t.Context(), f.DB, f.Ours, row.ID, all, integration.Change{URL: &private})
	require.NoError(t, err, "its URL is only a name")
}
