package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

const (
	storedEvents = 50_000
	pageSize     = 50
)

// TestPollingVisitsNoMoreThanAPage reads the plan of the list for tokens that may read
// some types, made without knowing the arguments as PostgreSQL does after a few
// executions. The rows that it visits must not grow with the table.
func TestPollingVisitsNoMoreThanAPage(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	spaces := &workspace.Service{DB: on, IDs: id.NewGenerator(clock.System{})}
	var ours uuid.UUID
	for _, slug := range []string{"one", "ours", "two"} {
		space, err := spaces.Ensure(t.Context(), slug, slug)
		require.NoError(t, err)
		ours = space.ID
		// Leads all the way, except a few conversations at the start and at the end.
		_, err = on.Exec(t.Context(), `INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
			SELECT $1, n, uuid_v7(now()), CASE WHEN n <= 5 OR n > $2 - 5 THEN 'conversation.closed' ELSE 'lead.created' END, '{}', now()
			FROM generate_series(1, $2::bigint) AS n`, space.ID, storedEvents)
		require.NoError(t, err)
	}
	// With all rows in the sample: a small one may miss the few conversations.
	_, err := on.Exec(t.Context(), "ALTER TABLE events ALTER COLUMN type SET STATISTICS 1000")
	require.NoError(t, err)
	_, err = on.Exec(t.Context(), "VACUUM ANALYZE events", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	for _, types := range [][]string{
		{"conversation.closed"},
		{"message.created"},
		{"knowledge.job.completed", "knowledge.job.failed", "webhook.ping"},
		{"conversation.closed", "conversation.created", "message.created", "webhook.ping"},
		{"lead.created", "webhook.ping"},
	} {
		for _, after := range []int64{0, 3, storedEvents / 2, storedEvents - 3, storedEvents} {
			var statement spy
			_, _ = db.New().EventListByType(t.Context(), &statement, db.EventListByTypeParams{WorkspaceID: ours, After: after, Types: types, RowLimit: pageSize})
			visited := visits(t, on, statement)
			require.LessOrEqual(t, visited, (2*len(types)+1)*pageSize, "%v after %d", types, after)
		}
	}
}

// spy records a statement instead of running it.
type spy struct {
	db.DBTX

	sql  string
	args []any
}

// Query implements db.DBTX.
func (s *spy) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args
	return nil, errors.New("recorded")
}

// plan is a node of what EXPLAIN (ANALYZE, FORMAT JSON) prints.
type plan struct {
	NodeType string  `json:"Node Type"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Plans    []plan  `json:"Plans"`
}

// visits runs a statement by its generic plan and returns how many rows its scans
// touched.
func visits(t *testing.T, on *postgres.DB, statement spy) int {
	t.Helper()
	literals := make([]string, len(statement.args))
	for i, arg := range statement.args {
		if list, ok := arg.([]string); ok {
			arg = "{" + strings.Join(list, ",") + "}"
		}
		literals[i] = fmt.Sprintf("'%v'", arg)
	}
	var raw []byte
	err := postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		for _, set := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE explained AS " + statement.sql} {
			if _, err := tx.Exec(ctx, set, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained ("+strings.Join(literals, ", ")+")", pgx.QueryExecModeSimpleProtocol).Scan(&raw); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DEALLOCATE explained")
		return err
	})
	require.NoError(t, err)
	var explained []struct {
		Plan plan `json:"Plan"`
	}
	require.NoError(t, json.Unmarshal(raw, &explained))
	return count(explained[0].Plan)
}

func count(p plan) int {
	touched := 0
	if strings.Contains(p.NodeType, "Scan") {
		touched = int((p.Rows + p.Removed) * p.Loops)
	}
	for _, child := range p.Plans {
		touched += count(child)
	}
	return touched
}
