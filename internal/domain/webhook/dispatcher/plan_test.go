package dispatcher_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// TestFindingWorkReadsNoWholeTable looks for due work while there is none, in a session that
// keeps its plans, and again with a backlog.
func TestFindingWorkReadsNoWholeTable(t *testing.T) {
	t.Parallel()
	w := seed.New(t)
	var counts []string
	for _, function := range []string{
		"due_webhooks(now())", "due_channels(now())", "due_attachments(now(), 8, 8, $1)", "due_agent_runs(now(), 8, 8, $1)",
		"claim_messages($1, $1, now(), clock_timestamp(), 0, 8)",
	} {
		counts = append(counts, "SELECT count(*) AS due FROM "+strings.ReplaceAll(function, "$1", "'00000000-0000-0000-0000-000000000000'"))
	}
	searches := "SELECT sum(due) FROM (" + strings.Join(counts, " UNION ALL ") + ") AS all_kinds"
	const wholeTables = `SELECT coalesce(string_agg(relname, ' '), '') FROM pg_stat_xact_user_tables
			WHERE relname IN ('webhook_deliveries', 'outbound_messages', 'attachments', 'agent_runs') AND seq_scan > 0`
	require.NoError(t, postgres.WithTx(t.Context(), w.DB, func(ctx context.Context, tx postgres.Tx) error {
		for _, statement := range []string{
			"ANALYZE webhook_deliveries, outbound_messages, attachments, agent_runs", searches, searches, searches, searches, searches, searches,
		} {
			_, err := tx.Exec(ctx, statement)
			require.NoError(t, err)
		}
		_, err := tx.Exec(ctx, `WITH hooks AS (
				INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, created_at, updated_at)
				SELECT $1, gen_random_uuid(), 'WEBHOOK', 'https://example.com', '{lead.created}', 'CONNECTED', 'x', now(), now() FROM generate_series(1, 20) RETURNING id
			)
			INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, next_attempt_at, created_at)
			SELECT $1, hooks.id, gen_random_uuid(), 1, now() - interval '1 second', now() FROM hooks, generate_series(1, 100)`, w.Ours)
		require.NoError(t, err)
		var due int
		require.NoError(t, tx.QueryRow(ctx, searches).Scan(&due))
		require.Equal(t, 20, due)
		var whole string
		require.NoError(t, tx.QueryRow(ctx, wholeTables).Scan(&whole))
		require.Empty(t, whole)
		return nil
	}))
}
