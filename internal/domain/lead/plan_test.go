package lead_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

const (
	leadsEach = 20_000
	pageSize  = 51 // a page of 50 and the row that shows whether there is a next page
)

// spy records a statement instead of running it.
type spy struct {
	db.DBTX

	sql  string
	args []any
}

func (s *spy) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args
	return nil, errors.New("recorded")
}

// TestNoListVisitsMoreThanItsPage runs every list of leads with its generic plan, which
// PostgreSQL uses after a few executions, and counts the visited rows. Their number must
// not grow with the table, even for values without rows and for the last page.
func TestNoListVisitsMoreThanItsPage(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	spaces := &workspace.Service{DB: on, IDs: id.NewGenerator(clock.System{})}
	var ours uuid.UUID
	for _, slug := range []string{"one", "ours", "two"} {
		space, err := spaces.Ensure(t.Context(), slug, slug)
		require.NoError(t, err)
		require.NoError(t, demo.LoadLeads(t.Context(), on, space.ID, time.Now(), leadsEach, func(int) {}))
		if slug == "ours" {
			ours = space.ID
		}
	}
	// One stage has no rows here, another has all of them except a few old ones.
	for _, statement := range []string{
		"UPDATE leads SET status = 'NEW' WHERE workspace_id = $1",
		"UPDATE leads SET status = 'WON', score = NULL WHERE workspace_id = $1 AND id IN (SELECT id FROM leads WHERE workspace_id = $1 ORDER BY id LIMIT 5)",
	} {
		_, err := on.Exec(t.Context(), statement, ours)
		require.NoError(t, err)
	}
	_, err := on.Exec(t.Context(), "VACUUM ANALYZE leads", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	var middle, last uuid.UUID
	require.NoError(t, on.QueryRow(t.Context(), "SELECT id FROM leads WHERE workspace_id = $1 ORDER BY id OFFSET 10000 LIMIT 1", ours).Scan(&middle))
	require.NoError(t, on.QueryRow(t.Context(), "SELECT id FROM leads WHERE workspace_id = $1 ORDER BY id LIMIT 1", ours).Scan(&last))

	for _, before := range []uuid.UUID{id.Max, middle, last} {
		for _, score := range []int16{101, 50, 0, -1} {
			for _, status := range []api.LeadStatus{"", "NEW", "WON", "LOST"} {
				for name, list := range lists(ours, status, score, before) {
					var statement spy
					list(t.Context(), &statement)
					visited := visits(t, on, statement)
					require.LessOrEqual(t, visited, 10*pageSize, "%s, status %q, below %d %s", name, status, score, before)
				}
			}
		}
	}
}

// lists returns the statements for a filter and a position.
func lists(space uuid.UUID, status api.LeadStatus, score int16, before uuid.UUID) map[string]func(context.Context, db.DBTX) {
	q := db.New()
	if status == "" {
		return map[string]func(context.Context, db.DBTX){
			"LeadListNewest": func(ctx context.Context, on db.DBTX) {
				_, _ = q.LeadListNewest(ctx, on, db.LeadListNewestParams{WorkspaceID: space, BeforeID: before, RowLimit: pageSize})
			},
			"LeadListByScore": func(ctx context.Context, on db.DBTX) {
				_, _ = q.LeadListByScore(ctx, on, db.LeadListByScoreParams{WorkspaceID: space, BeforeScore: score, BeforeID: before, RowLimit: pageSize})
			},
		}
	}
	return map[string]func(context.Context, db.DBTX){
		"LeadListNewestByStatus": func(ctx context.Context, on db.DBTX) {
			_, _ = q.LeadListNewestByStatus(ctx, on, db.LeadListNewestByStatusParams{WorkspaceID: space, Status: status, BeforeID: before, RowLimit: pageSize})
		},
		"LeadListByScoreAndStatus": func(ctx context.Context, on db.DBTX) {
			_, _ = q.LeadListByScoreAndStatus(ctx, on, db.LeadListByScoreAndStatusParams{
				WorkspaceID: space, Status: status, BeforeScore: score, BeforeID: before, RowLimit: pageSize,
			})
		},
	}
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
		literals[i] = fmt.Sprintf("'%v'", arg)
	}
	var raw []byte
	err := postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
		for _, set := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE inspected AS " + statement.sql} {
			if _, err := tx.Exec(ctx, set, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		explain := "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE inspected (" + strings.Join(literals, ", ") + ")"
		if err := tx.QueryRow(ctx, explain, pgx.QueryExecModeSimpleProtocol).Scan(&raw); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DEALLOCATE inspected")
		return err
	})
	require.NoError(t, err)
	var explained []struct {
		Plan plan `json:"Plan"`
	}
	require.NoError(t, json.Unmarshal(raw, &explained))
	touched := count(explained[0].Plan)
	require.GreaterOrEqual(t, touched, 0)
	return touched
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
