package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

var now = time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)

var errEncode = errors.New("cannot encode")

// encode gives a ping its ID, and fails for other payloads.
func encode(payload event.Payload) ([]byte, error) {
	ping, ok := payload.(event.WebhookPing)
	if !ok {
		return nil, errEncode
	}
	return json.Marshal(map[string]any{"integrationId": ping.IntegrationID})
}

type fixture struct {
	on       *postgres.DB
	space    uuid.UUID
	recorder *event.Recorder
	feed     *event.Feed
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{on: testdb.New(t)}
	ids := id.NewGenerator(clock.NewFake(now))
	f.recorder = &event.Recorder{IDs: ids, Encode: encode}
	f.feed = &event.Feed{DB: f.on, Types: event.Types{api.EventTypeWebhookPing: ""}}
	row, err := (&workspace.Service{DB: f.on, IDs: ids}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	f.space = row.ID
	return f
}

func (f *fixture) record(t *testing.T, payloads ...event.Payload) error {
	t.Helper()
	return postgres.WithTx(t.Context(), f.on, func(ctx context.Context, tx postgres.Tx) error {
		return f.recorder.Record(ctx, tx, f.space, now, payloads...)
	})
}

func (f *fixture) sequence(t *testing.T) {
	t.Helper()
	require.NoError(t, (&event.Sequencer{DB: f.on}).Sequence(t.Context()))
}

func TestRecordKeepsTheOrder(t *testing.T) {
	t.Parallel()
	f := setup(t)
	first, second, third := uuid.New(), uuid.New(), uuid.New()
	require.NoError(t, f.record(t, event.WebhookPing{IntegrationID: first}, event.WebhookPing{IntegrationID: second}))
	f.sequence(t)
	last, err := f.recorder.RecordNumbered(t.Context(), f.on, f.space, event.WebhookPing{IntegrationID: third})
	require.NoError(t, err)
	rows, latest, err := f.feed.After(t.Context(), f.space, nil, 0, 10)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, int64(3), latest)
	for i, integration := range []uuid.UUID{first, second, third} {
		require.JSONEq(t, `{"integrationId":"`+integration.String()+`"}`, string(rows[i].Data))
		require.Equal(t, int64(i+1), rows[i].Sequence)
		require.Equal(t, api.EventTypeWebhookPing, rows[i].Type)
	}
	require.Equal(t, string(event.AppendJSON(nil, last)), string(event.AppendJSON(nil, rows[2])))
}

func TestRecordStoresAllOrNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.record(t))
	require.ErrorIs(t, f.record(t, event.WebhookPing{IntegrationID: uuid.New()}, event.LeadCreated{}), errEncode)
	_, err := f.recorder.RecordNumbered(t.Context(), f.on, f.space, event.LeadCreated{})
	require.ErrorIs(t, err, errEncode)
	rows, latest, err := f.feed.After(t.Context(), f.space, nil, 0, 10)
	require.NoError(t, err)
	require.Empty(t, rows)
	require.Zero(t, latest)
}
