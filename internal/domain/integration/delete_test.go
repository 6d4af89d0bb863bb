package integration_test

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// backlog inserts n deliveries of one event to a webhook.
func (f *fixture) backlog(t *testing.T, webhook db.Integration, n int) {
	t.Helper()
	f.deliver(t, webhook.ID, api.WebhookDeliveryStatusPENDING, nil)
	f.Exec(t, `INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
		SELECT workspace_id, integration_id, gen_random_uuid(), event_sequence, created_at, created_at
		FROM webhook_deliveries, generate_series(2, $2) WHERE integration_id = $1`, webhook.ID, n)
}

func TestADeletedWebhookDisappearsBeforeItsDeliveries(t *testing.T) {
	t.Parallel()
	f := setup(t)
	gone, _ := f.webhook(t, address)
	kept, _ := f.webhook(t, address)
	f.backlog(t, gone, 10)
	other := f.deliver(t, kept.ID, api.WebhookDeliveryStatusPENDING, nil)
	require.NoError(t, f.integrations.Delete(t.Context(), f.DB, f.Ours, gone.ID, all))
	require.Equal(t, 11, f.Count(t, "SELECT count(*) FROM webhook_deliveries"), "none is deleted during the request")

	_, err := f.integrations.Get(t.Context(), f.Ours, gone.ID)
	require.ErrorIs(t, err, postgres.ErrNotFound)
	require.ErrorIs(t, f.integrations.Delete(t.Context(), f.DB, f.Ours, gone.ID, all), postgres.ErrNotFound)
	listed, err := f.integrations.List(t.Context(), f.Ours, page.Request{})
	require.NoError(t, err)
	require.Equal(t, []db.Integration{kept}, listed.Rows)
	due, err := db.New().SystemWebhookDueList(t.Context(), f.DB, db.SystemWebhookDueListParams{Now: f.Clock.Now().Add(24 * time.Hour)})
	require.NoError(t, err)
	require.Len(t, due, 1, "nothing more is sent to it")
	require.Equal(t, kept.ID, due[0].ID)

	require.NoError(t, f.purge(t))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM webhook_deliveries"))
	require.Equal(t, "PENDING", f.status(t, other))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM integrations"))
	require.Len(t, f.Events(t, f.Ours), 2, "events stay")
	require.NoError(t, f.purge(t), "a job may run twice")
}

// TestAPurgeIsMadeOfSmallStatementsAndTakesTurns counts the rows that each statement
// deletes.
func TestAPurgeIsMadeOfSmallStatementsAndTakesTurns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	gone, _ := f.webhook(t, address)
	const rows = 100_001
	f.backlog(t, gone, rows)
	f.Exec(t, "CREATE TABLE deleted (n int)")
	f.Exec(t, `CREATE FUNCTION count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO deleted SELECT count(*) FROM gone; RETURN NULL; END $$`)
	f.Exec(t, `CREATE TRIGGER counts AFTER DELETE ON webhook_deliveries REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_deleted()`)
	require.NoError(t, f.integrations.Delete(t.Context(), f.DB, f.Ours, gone.ID, all))
	var snooze *river.JobSnoozeError
	require.ErrorAs(t, f.purge(t), &snooze, "others have a turn")
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM integrations"))
	require.NoError(t, f.purge(t))
	require.Zero(t, f.Count(t, "SELECT count(*) FROM integrations"))
	require.Equal(t, rows, f.Count(t, "SELECT sum(n) FROM deleted"))
	require.Equal(t, 5000, f.Count(t, "SELECT max(n) FROM deleted"))
}

func TestAPurgeLeavesIntegrationsThatAreNotDeleted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	webhook, _ := f.webhook(t, address)
	require.NoError(t, db.New().IntegrationRemove(t.Context(), f.DB, db.IntegrationRemoveParams{WorkspaceID: f.Ours, ID: webhook.ID}))
	require.Equal(t, webhook, f.get(t, webhook.ID))
}
