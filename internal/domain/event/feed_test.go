package event_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

var types = event.Types{
	api.EventTypeLeadCreated: api.ScopeLeadsRead, api.EventTypeLeadUpdated: api.ScopeLeadsRead,
	api.EventTypeMessageCreated: api.ScopeConversationsRead, api.EventTypeWebhookPing: "",
}

type world struct {
	*seed.World

	feed *event.Feed
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := seed.New(t)
	return &world{World: w, feed: &event.Feed{DB: w.DB, Types: types}}
}

// payload is an event of a type whose data does not matter.
type payload api.EventType

// EventType implements event.Payload.
func (p payload) EventType() api.EventType { return api.EventType(p) }

// record stores events.
func (w *world) record(ctx context.Context, space uuid.UUID, kinds ...api.EventType) error {
	payloads := make([]event.Payload, len(kinds))
	for i, kind := range kinds {
		payloads[i] = payload(kind)
	}
	recorder := &event.Recorder{IDs: w.IDs, Encode: func(event.Payload) ([]byte, error) { return []byte(`{ "lead" : {"id":"1"}}`), nil }}
	return postgres.WithTx(ctx, w.DB, func(ctx context.Context, tx postgres.Tx) error {
		return recorder.Record(ctx, tx, space, w.Clock.Now(), payloads...)
	})
}

func (w *world) ping(ctx context.Context, space uuid.UUID) (db.Event, error) {
	return w.Recorder.RecordNumbered(ctx, w.DB, space, event.WebhookPing{IntegrationID: uuid.New()})
}

// webhook inserts a connected webhook.
func (w *world) webhook(t *testing.T, space uuid.UUID, events ...api.EventType) uuid.UUID {
	t.Helper()
	return w.webhookIn(t, space, "CONNECTED", nil, events...)
}

// webhookIn inserts a webhook in a state.
func (w *world) webhookIn(t *testing.T, space uuid.UUID, status string, expires *time.Time, events ...api.EventType) uuid.UUID {
	t.Helper()
	made, _ := w.IDs.New()
	w.Exec(t, `INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, expires_at, created_at, updated_at)
		VALUES ($1, $2, 'WEBHOOK', 'https://hooks.example.com', $3, $4, 'x', $5, now(), now())`, space, made, events, status, expires)
	return made
}

func has(scopes ...api.Scope) func(api.Scope) bool {
	return func(scope api.Scope) bool { return slices.Contains(scopes, scope) }
}

func TestCheckNamesEveryUnknownType(t *testing.T) {
	t.Parallel()
	_, err := types.Check([]string{"lead.created", "lead.born", "", "webhook.ping", "LEAD.CREATED"}, has())
	var unknown *event.UnknownTypesError
	require.ErrorAs(t, err, &unknown, "reported before a missing scope")
	require.Equal(t, []int{1, 2, 4}, unknown.Indexes)
	require.Equal(t, []string{"lead.created", "lead.updated", "message.created", "webhook.ping"}, unknown.Known)
}

func TestCheckRequiresTheScopeOfEachType(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		names   []string
		scopes  []api.Scope
		want    []string
		missing api.Scope
	}{
		{[]string{"webhook.ping"}, nil, []string{"webhook.ping"}, ""},
		{[]string{"lead.updated", "webhook.ping", "lead.updated", "lead.created"}, []api.Scope{api.ScopeLeadsRead}, []string{"lead.updated", "webhook.ping", "lead.created"}, ""},
		{[]string{"lead.created"}, []api.Scope{api.ScopeLeadsWrite, api.ScopeConversationsRead}, nil, api.ScopeLeadsRead},
		{[]string{"lead.created", "message.created"}, []api.Scope{api.ScopeLeadsRead}, nil, api.ScopeConversationsRead},
		{nil, nil, nil, ""},
	} {
		got, err := types.Check(one.names, has(one.scopes...))
		require.Equal(t, one.want, got)
		if one.missing == "" {
			require.NoError(t, err)
			continue
		}
		var missing *token.MissingScopeError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, one.missing, missing.Scope)
	}
}

func TestFeedReturnsOnlyReadableTypes(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	rows, latest, err := f.feed.After(t.Context(), f.Ours, has(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, rows)
	require.Zero(t, latest, "an empty workspace")
	kinds := []api.EventType{api.EventTypeLeadCreated, api.EventTypeMessageCreated, api.EventTypeWebhookPing, api.EventTypeLeadUpdated}
	require.NoError(t, f.record(t.Context(), f.Ours, kinds...))
	require.NoError(t, f.record(t.Context(), f.Theirs, api.EventTypeLeadCreated))
	f.Sequence(t)
	for _, one := range []struct {
		scopes []api.Scope
		after  int64
		limit  int32
		want   []int64
	}{
		{nil, 0, 10, []int64{3}},
		{[]api.Scope{api.ScopeLeadsRead}, 0, 10, []int64{1, 3, 4}},
		{[]api.Scope{api.ScopeLeadsRead}, 1, 1, []int64{3}},
		{[]api.Scope{api.ScopeLeadsRead, api.ScopeConversationsRead}, 1, 10, []int64{2, 3, 4}},
		{[]api.Scope{api.ScopeLeadsRead}, 4, 10, nil},
		{[]api.Scope{api.ScopeLeadsRead}, 99, 10, nil},
	} {
		rows, latest, err := f.feed.After(t.Context(), f.Ours, has(one.scopes...), one.after, one.limit)
		require.NoError(t, err)
		require.Equal(t, int64(4), latest, "counts events that the token cannot read")
		var got []int64
		for _, row := range rows {
			require.Equal(t, kinds[row.Sequence-1], row.Type)
			require.Equal(t, f.Ours, row.WorkspaceID)
			got = append(got, row.Sequence)
		}
		require.Equal(t, one.want, got)
	}
}

// TestAnEventIsTheSameBytesWheneverItIsRead compares what is returned on writing, which
// is sent, with what is read from the feed.
func TestAnEventIsTheSameBytesWheneverItIsRead(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	f.Clock.Advance(7*time.Millisecond + 999*time.Microsecond)
	written, err := f.ping(t.Context(), f.Ours)
	require.NoError(t, err)
	rows, latest, err := f.feed.After(t.Context(), f.Ours, has(), 0, 1)
	require.NoError(t, err)
	require.Equal(t, int64(1), latest)
	sent := event.AppendJSON(nil, written)
	require.Equal(t, string(sent), string(event.AppendJSON(nil, rows[0])))
	require.True(t, json.Valid(sent))
}

func TestAppendJSONWritesTheDocumentedProperties(t *testing.T) {
	t.Parallel()
	row := db.Event{
		WorkspaceID: uuid.MustParse("019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"), ID: uuid.MustParse("019684aa-5e00-7c3a-9f21-6a0b5f1d2e02"),
		Sequence: 1 << 40, Type: api.EventTypeWebhookPing, Data: []byte(`{"integrationId": null}`),
		OccurredAt: time.Date(2026, 4, 30, 14, 0, 0, 0, time.FixedZone("CEST", 7200)),
	}
	require.Equal(t, `before {"id":"019684aa-5e00-7c3a-9f21-6a0b5f1d2e02","type":"webhook.ping","timestamp":"2026-04-30T12:00:00.000Z",`+
		`"sequence":1099511627776,"workspaceId":"019684aa-5e00-7c3a-9f21-6a0b5f1d2e01","data":{"integrationId": null}}`,
		string(event.AppendJSON([]byte("before "), row)))
}

// TestDeliveriesAreCreatedForSubscribedWebhooksOnly records an event of each type with
// integrations in each state.
func TestDeliveriesAreCreatedForSubscribedWebhooksOnly(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	const lead, message = api.EventTypeLeadCreated, api.EventTypeMessageCreated
	soon := seed.Start.Add(time.Hour)
	connected, failing := f.webhook(t, f.Ours, lead, message), f.webhookIn(t, f.Ours, "ERROR", nil, lead, api.EventTypeWebhookPing)
	f.webhookIn(t, f.Ours, "DISABLED", nil, lead)
	f.webhookIn(t, f.Ours, "CONNECTED", &soon, lead)
	f.webhook(t, f.Ours, api.EventTypeLeadUpdated)
	f.webhook(t, f.Theirs, lead, message)
	require.NoError(t, f.record(t.Context(), f.Ours, message, lead))
	f.Sequence(t)
	_, err := f.ping(t.Context(), f.Ours)
	require.NoError(t, err)
	rows, err := f.DB.Query(t.Context(), "SELECT integration_id, event_sequence, status, next_attempt_at, tries FROM webhook_deliveries ORDER BY integration_id, event_sequence")
	require.NoError(t, err)
	defer rows.Close()
	type delivery struct {
		webhook  uuid.UUID
		sequence int64
	}
	var got []delivery
	for rows.Next() {
		var one delivery
		var status string
		var due time.Time
		var tries int
		require.NoError(t, rows.Scan(&one.webhook, &one.sequence, &status, &due, &tries))
		require.Equal(t, "PENDING", status)
		require.Equal(t, seed.Start, due.UTC(), "due immediately")
		require.Zero(t, tries)
		got = append(got, one)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []delivery{{connected, 1}, {connected, 2}, {failing, 2}}, got)
}
