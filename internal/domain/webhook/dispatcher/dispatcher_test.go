package dispatcher_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/webhook/dispatcher"
	"github.com/avelto/convo/internal/testing/apitest"
)

// bed is a server with a webhook and its receiver.
type bed struct {
	*apitest.Server

	token    string
	hook     uuid.UUID
	receiver *apitest.Receiver
}

func newBed(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *bed {
	t.Helper()
	// A slow machine must not make attempts time out.
	s := apitest.New(t, apitest.Options{Workers: true, Config: apitest.Config{WebhookTimeout: time.Hour}})
	b := &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme")), receiver: apitest.NewReceiver(t, answer)}
	b.hook = b.subscribe(t, b.receiver.URL)
	return b
}

func (b *bed) subscribe(t *testing.T, url string) uuid.UUID {
	t.Helper()
	answer := b.Post(t, b.token, "/integrations/webhook", map[string]any{"type": "WEBHOOK", "url": url, "events": []string{"lead.created"}})
	return apitest.Decode[api.WebhookCreated](t, answer.Want(t, http.StatusCreated)).ID
}

func (b *bed) lead(t *testing.T) {
	t.Helper()
	b.Post(t, b.token, "/leads", `{"fields":{"name":"Anna"}}`).Want(t, http.StatusCreated)
}

func (b *bed) integration(t *testing.T) api.Integration {
	t.Helper()
	return apitest.Decode[api.Integration](t, b.Get(t, b.token, "/integrations/"+b.hook.String()).Want(t, http.StatusOK))
}

type delivery struct {
	ID            uuid.UUID                 `json:"id"`
	EventID       uuid.UUID                 `json:"eventId"`
	Status        api.WebhookDeliveryStatus `json:"status"`
	NextAttemptAt *time.Time                `json:"nextAttemptAt"`
	Attempts      []api.WebhookAttempt      `json:"attempts"`
}

// latest returns the latest delivery once it has had a number of attempts.
func (b *bed) latest(t *testing.T, attempts int) delivery {
	t.Helper()
	var found []delivery
	require.Eventually(t, func() bool {
		answer := b.Get(t, b.token, "/integrations/"+b.hook.String()+"/deliveries?limit=1").Want(t, http.StatusOK)
		require.NoError(t, json.Unmarshal(answer.Body, &found))
		return len(found) == 1 && len(found[0].Attempts) >= attempts
	}, time.Minute, 5*time.Millisecond)
	require.Len(t, found[0].Attempts, attempts)
	return found[0]
}

// failed waits until n failures in a row are recorded and the pause, if any, is set.
func (b *bed) failed(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var failures int
		require.NoError(t, b.DB.QueryRow(t.Context(), "SELECT CASE WHEN failures < 5 OR paused_until > $2 THEN failures ELSE -1 END FROM integrations WHERE id = $1", b.hook, b.Clock.Now()).Scan(&failures))
		return failures == n
	}, time.Minute, 5*time.Millisecond)
}

func always(status int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func TestAFailedDeliveryIsRetriedBySchedule(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < len(dispatcher.Schedule) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("not now"))
		}
	})
	b.lead(t)
	for i, wait := range dispatcher.Schedule {
		failed := b.latest(t, i+1)
		require.Equal(t, api.WebhookDeliveryStatusPENDING, failed.Status)
		require.InDelta(t, wait.Seconds(), failed.NextAttemptAt.Sub(b.Clock.Now()).Seconds(), 0.1*wait.Seconds()+0.01, "attempt %d", i+1)
		require.Equal(t, int32(500), *failed.Attempts[i].ResponseStatus)
		require.Equal(t, "not now", *failed.Attempts[i].ResponseBody)
		b.failed(t, i+1)
		b.Clock.Advance(wait + wait/10 + time.Second)
	}
	done := b.latest(t, len(dispatcher.Schedule)+1)
	require.Equal(t, api.WebhookDeliveryStatusSUCCEEDED, done.Status)
	require.Nil(t, done.NextAttemptAt)
	for _, one := range b.receiver.All() {
		require.Equal(t, done.EventID, one.ID, "the id is the same over retries")
		require.Equal(t, string(b.receiver.All()[0].Body), string(one.Body), "and so is the body")
	}
	require.Eventually(t, func() bool {
		state := b.integration(t)
		return state.Status == api.IntegrationStatusCONNECTED && state.Error == nil
	}, time.Minute, 5*time.Millisecond, "it has recovered")
}

func TestEachAttemptIsSignedWithItsOwnTime(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	b.lead(t)
	b.latest(t, 1)
	b.Clock.Advance(10 * time.Second)
	b.latest(t, 2)
	all := b.receiver.All()
	require.NotEqual(t, all[0].Header.Get("webhook-timestamp"), all[1].Header.Get("webhook-timestamp"))
	require.NotEqual(t, all[0].Header.Get("webhook-signature"), all[1].Header.Get("webhook-signature"))
}

func TestADeliveryFailsAfterItsLastAttempt(t *testing.T) {
	t.Parallel()
	b := newBed(t, always(http.StatusServiceUnavailable))
	b.lead(t)
	for i := range len(dispatcher.Schedule) {
		b.latest(t, i+1)
		b.failed(t, i+1)
		b.Clock.Advance(27 * time.Hour)
		if i == 2 { // keep the webhook from being disabled after five days
			b.Exec(t, "UPDATE integrations SET failing_since = $1", b.Clock.Now().Add(1000*time.Hour))
		}
	}
	failed := b.latest(t, len(dispatcher.Schedule)+1)
	require.Equal(t, api.WebhookDeliveryStatusFAILED, failed.Status)
	require.Nil(t, failed.NextAttemptAt)

	answer := b.Post(t, b.token, "/integrations/"+b.hook.String()+"/deliveries/"+failed.ID.String()+"/redeliver", nil)
	again := apitest.Decode[delivery](t, answer.Want(t, http.StatusAccepted))
	require.Equal(t, api.WebhookDeliveryStatusPENDING, again.Status)
	b.Exec(t, "UPDATE integrations SET paused_until = NULL")
	require.Equal(t, failed.EventID, b.latest(t, len(dispatcher.Schedule)+2).EventID)
}

func TestRetryAfterPostponesTheNextAttempt(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	b.lead(t)
	require.Equal(t, b.Clock.Now().Add(10*time.Minute), b.latest(t, 1).NextAttemptAt.UTC())
}

func TestGoneDisablesTheWebhook(t *testing.T) {
	t.Parallel()
	b := newBed(t, always(http.StatusGone))
	b.lead(t)
	require.Equal(t, api.WebhookDeliveryStatusFAILED, b.latest(t, 1).Status)
	require.Eventually(t, func() bool { return b.integration(t).Status == api.IntegrationStatusDISABLED }, time.Minute, 5*time.Millisecond)
	require.Equal(t, api.IntegrationErrorCodeWebhookDisabled, b.integration(t).Error.Code)
	b.lead(t)
	b.latest(t, 1) // no delivery was made of the second
	b.Patch(t, b.token, "/integrations/"+b.hook.String(), `{"status":"CONNECTED"}`).Want(t, http.StatusOK)
	require.Nil(t, b.integration(t).Error)
	b.lead(t)
	b.receiver.WaitFor(t, 2)
}

func TestFiveDaysOfFailuresDisableTheWebhook(t *testing.T) {
	t.Parallel()
	b := newBed(t, always(http.StatusInternalServerError))
	b.lead(t)
	b.latest(t, 1)
	require.Eventually(t, func() bool { return b.integration(t).Status == api.IntegrationStatusERROR }, time.Minute, 5*time.Millisecond)
	require.Equal(t, api.IntegrationErrorCodeWebhookFailing, b.integration(t).Error.Code)
	b.Clock.Advance(dispatcher.DisableAfter - time.Second)
	b.latest(t, 2)
	b.failed(t, 2)
	require.Equal(t, api.IntegrationStatusERROR, b.integration(t).Status)
	b.Clock.Advance(6 * time.Minute)
	b.latest(t, 3)
	require.Eventually(t, func() bool { return b.integration(t).Status == api.IntegrationStatusDISABLED }, time.Minute, 5*time.Millisecond)
	require.Equal(t, api.IntegrationErrorCodeWebhookDisabled, b.integration(t).Error.Code)
	require.Contains(t, b.integration(t).Error.Message, "five days")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := apitest.NewReceiver(t, nil)
	b := newBed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	b.lead(t)
	require.Equal(t, int32(307), *b.latest(t, 1).Attempts[0].ResponseStatus)
	require.Empty(t, elsewhere.All())
}

// TestTheAddressIsCheckedWhenDialled stores a private address, which no request can:
// a name may resolve to another address than when the URL was validated.
func TestTheAddressIsCheckedWhenDialled(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.Exec(t, "UPDATE integrations SET url = 'http://10.255.255.1:9/hook'")
	b.lead(t)
	attempt := b.latest(t, 1).Attempts[0]
	require.Nil(t, attempt.ResponseStatus)
	require.Equal(t, "the host could not be reached", *attempt.Error)
}

func TestALongResponseIsTruncated(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<16)
		for range 160 { // 10 MiB
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	b.lead(t)
	done := b.latest(t, 1)
	require.Equal(t, api.WebhookDeliveryStatusSUCCEEDED, done.Status)
	require.Len(t, []rune(*done.Attempts[0].ResponseBody), 1024)
}

func TestAnIncompleteResponseIsAFailure(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	})
	b.lead(t)
	failed := b.latest(t, 1)
	require.Equal(t, api.WebhookDeliveryStatusPENDING, failed.Status)
	require.Equal(t, "no complete response", *failed.Attempts[0].Error)
}

// TestAHangingEndpointDelaysNoOther keeps every request to one endpoint in flight
// while another receives all of its events.
func TestAHangingEndpointDelaysNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := newBed(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) }) // before the receiver waits for its requests
	healthy := apitest.NewReceiver(t, nil)
	b.subscribe(t, healthy.URL)
	const leads = 200
	for range leads {
		b.lead(t)
	}
	healthy.WaitFor(t, leads)
	require.LessOrEqual(t, len(b.receiver.All()), 16, "requests in flight to one endpoint")
}

// TestAnEndpointThatIsDownIsPaused fails until the endpoint is paused, and counts the
// attempts after that.
func TestAnEndpointThatIsDownIsPaused(t *testing.T) {
	t.Parallel()
	b := newBed(t, always(http.StatusInternalServerError))
	const deliveries = 10_000
	b.lead(t)
	b.multiply(t, deliveries-1)
	paused := func() bool {
		var until *time.Time
		require.NoError(t, b.DB.QueryRow(t.Context(), "SELECT paused_until FROM integrations").Scan(&until))
		return until != nil && until.After(b.Clock.Now())
	}
	require.Eventually(t, func() bool {
		return paused() && b.number(t, "SELECT count(*) FROM webhook_deliveries WHERE leased_until IS NOT NULL") == 0
	}, time.Minute, 5*time.Millisecond)
	before := len(b.receiver.All())
	require.Less(t, before, deliveries, "the rest waits for the end of the pause")
	require.Eventually(t, func() bool { // failures of the last batch can pause it once more
		b.Clock.Advance(6 * time.Minute)
		return len(b.receiver.All()) > before
	}, time.Minute, time.Second, "a delivery tests the endpoint")
	require.Eventually(t, paused, time.Minute, 5*time.Millisecond)
}

// TestAnOrphanedDeliveryIsClaimedWhenItsLeaseEnds claims a delivery as a worker does that is
// then killed.
func TestAnOrphanedDeliveryIsClaimedWhenItsLeaseEnds(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	b := &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme"))}
	worker := apitest.New(t, apitest.Options{Workers: true, DatabaseURL: s.DatabaseURL})
	receiver := apitest.NewReceiver(t, nil)
	b.Server = worker
	b.hook = b.subscribe(t, receiver.URL)
	tx, err := s.DB.Pool().Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at)
		SELECT id, gen_random_uuid(), 'lead.created', '`+leadData+`', $1 FROM workspaces`, worker.Clock.Now())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT sequence_events(100, 100, '00000000-0000-0000-0000-000000000000')")
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "UPDATE webhook_deliveries SET leased_until = $1", worker.Clock.Now().Add(20*time.Second))
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	b.lead(t)
	receiver.WaitFor(t, 1)
	worker.Clock.Advance(21 * time.Second)
	receiver.WaitFor(t, 2)
}

const leadData = `{"lead":{"id":"019684aa-5e00-7c3a-9f21-6a0b5f1d2e01","status":"NEW","fields":{"name":"Anna"},"score":null,"source":null,"conversationId":null,"crmExternalId":null,"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.000Z"}}`
