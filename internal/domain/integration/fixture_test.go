package integration_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/testing/seed"
)

const address = "https://hooks.example.com/convo"

type fixture struct {
	*seed.World

	integrations *integration.Service
	jobs         *jobs
}

// jobs records the jobs that are queued.
type jobs struct{ queued []river.JobArgs }

// InsertTx implements integration.Jobs.
func (j *jobs) InsertTx(_ context.Context, _ pgx.Tx, args river.JobArgs, _ *river.InsertOpts) (*rivertype.JobInsertResult, error) {
	j.queued = append(j.queued, args)
	return &rivertype.JobInsertResult{}, nil
}

// purge runs the latest job.
func (f *fixture) purge(t *testing.T) error {
	t.Helper()
	args, ok := f.jobs.queued[len(f.jobs.queued)-1].(integration.Purge)
	require.True(t, ok)
	return (&integration.PurgeWorker{DB: f.DB}).Work(t.Context(), &river.Job[integration.Purge]{Args: args})
}

// setup returns a service that may connect to loopback addresses.
func setup(t *testing.T) *fixture {
	t.Helper()
	w := seed.New(t)
	box, err := seal.New([]byte("0123456789abcdef0123456789abcdef"), "webhook secrets")
	require.NoError(t, err)
	guard := egress.NewGuard(egress.Loopback())
	post := sender.New(guard, w.Clock, slog.New(slog.DiscardHandler), time.Minute, 1)
	t.Cleanup(post.Close)
	queue := &jobs{}
	return &fixture{World: w, jobs: queue, integrations: &integration.Service{
		DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Guard: guard, Box: box, Sender: post, Events: w.Recorder, Jobs: queue,
		Types: event.Types{api.EventTypeLeadCreated: api.ScopeLeadsRead, api.EventTypeMessageCreated: api.ScopeConversationsRead, api.EventTypeWebhookPing: ""},
	}}
}

func all(api.Scope) bool { return true }

func only(scopes ...api.Scope) integration.Has {
	return func(scope api.Scope) bool { return slices.Contains(scopes, scope) }
}

func (f *fixture) webhook(t *testing.T, url string) (db.Integration, string) {
	t.Helper()
	row, secret, err := f.integrations.CreateWebhook(t.Context(), f.DB, f.Ours, all, integration.NewWebhook{URL: url, Events: []string{"lead.created"}})
	require.NoError(t, err)
	return row, secret
}

// crm inserts an integration that is not a webhook.
func (f *fixture) crm(t *testing.T, status api.IntegrationStatus) uuid.UUID {
	t.Helper()
	made, now := f.IDs.New()
	f.Exec(t, "INSERT INTO integrations (workspace_id, id, type, events, status, created_at, updated_at) VALUES ($1, $2, 'CRM', '{}', $3, $4, $4)", f.Ours, made, status, now)
	return made
}

func (f *fixture) get(t *testing.T, integrationID uuid.UUID) db.Integration {
	t.Helper()
	row, err := f.integrations.Get(t.Context(), f.Ours, integrationID)
	require.NoError(t, err)
	return row
}

// secrets returns the secrets that a webhook signs with now.
func (f *fixture) secrets(t *testing.T, integrationID uuid.UUID) []string {
	t.Helper()
	target, err := sender.OpenTarget(f.integrations.Box, f.get(t, integrationID), f.Clock.Now())
	require.NoError(t, err)
	return target.Secrets
}

// deliver inserts a delivery of a lead's event to a webhook, in a state.
func (f *fixture) deliver(t *testing.T, webhook uuid.UUID, status api.WebhookDeliveryStatus, leasedUntil *time.Time) uuid.UUID {
	t.Helper()
	made, now := f.IDs.New()
	recorded, err := db.New().EventRecordNumbered(t.Context(), f.DB, db.EventRecordNumberedParams{
		WorkspaceID: f.Ours, ID: uuid.New(), Type: api.EventTypeMessageCreated, Data: []byte("{}"), OccurredAt: now,
	})
	require.NoError(t, err)
	f.Exec(t, `INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, status, next_attempt_at, leased_until, tries, attempts, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 4, '[{"durationMs":1}]', $8)`, f.Ours, webhook, made, recorded.Sequence, status, now.Add(5*time.Hour), leasedUntil, now)
	return made
}
