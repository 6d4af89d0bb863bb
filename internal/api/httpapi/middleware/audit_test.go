package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

// created is a response with a Location.
func created(location string, w http.ResponseWriter) error {
	if location != "" {
		w.Header().Set("Location", location)
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// auditBed runs handlers that change the name of a workspace.
type auditBed struct {
	*chain

	log *audit.Log
}

func newAuditBed(t *testing.T) *auditBed {
	t.Helper()
	b := &auditBed{chain: newChain(t), log: &audit.Log{DB: testdb.New(t), IDs: id.NewGenerator(clock.NewFake(now))}}
	space, err := (&workspace.Service{DB: b.log.DB, IDs: b.log.IDs}).Ensure(t.Context(), "acme", "Acme")
	require.NoError(t, err)
	b.principal.WorkspaceID = space.ID
	return b
}

// rename changes the name of the workspace, and returns an error after that.
func rename(ctx context.Context, on postgres.Conn, err error) error {
	_, failed := on.Exec(ctx, "UPDATE workspaces SET name = 'Renamed'")
	return errors.Join(failed, err)
}

// send sends a request to an operation whose handler is fn.
func (b *auditBed) call(t *testing.T, operation string, fn func(ctx context.Context) (string, error)) int {
	t.Helper()
	b.handler = func(c echo.Context) error {
		location, err := fn(c.Request().Context())
		if err != nil {
			return err
		}
		return created(location, c.Response())
	}
	r := b.valid(t, b.operation(t, operation))
	r.Header.Set("User-Agent", "curl/8")
	r.Header.Set("X-Request-Id", operation)
	w := httptest.NewRecorder()
	b.echo.ServeHTTP(w, r)
	return w.Code
}

// state returns the name of the workspace and the audit log.
func (b *auditBed) state(t *testing.T) (name string, entries []string) {
	t.Helper()
	require.NoError(t, b.log.DB.QueryRow(t.Context(), "SELECT name FROM workspaces").Scan(&name))
	rows, err := b.log.DB.Query(t.Context(), `SELECT concat_ws(' ', actor_type, actor_id = $1, action, target, ip, user_agent, request_id) FROM audit_entries ORDER BY id`, b.principal.TokenID)
	require.NoError(t, err)
	entries, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return name, entries
}

func TestOnceRecordsAChangeInItsTransaction(t *testing.T) {
	t.Parallel()
	b := newAuditBed(t)
	once := func(location string, err error) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			return middleware.Once(ctx, b.log, created, func(ctx context.Context, on postgres.Conn) (string, error) {
				return location, rename(ctx, on, err)
			})
		}
	}
	require.Equal(t, http.StatusInternalServerError, b.call(t, "createTag", once("/api/v1/tags/1", errors.New("refused"))))
	name, entries := b.state(t)
	require.Equal(t, "Acme", name)
	require.Empty(t, entries, "a rejected request is not recorded")

	_, err := b.log.DB.Exec(t.Context(), "ALTER TABLE audit_entries ADD CONSTRAINT refuses CHECK (action <> 'createTag')")
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, b.call(t, "createTag", once("/api/v1/tags/1", nil)))
	name, entries = b.state(t)
	require.Equal(t, "Acme", name, "without its entry there is no change")
	require.Empty(t, entries)

	require.Equal(t, http.StatusCreated, b.call(t, "createAgent", once("/api/v1/agents/1", nil)))
	require.Equal(t, http.StatusCreated, b.call(t, "deleteLead", once("", nil)))
	name, entries = b.state(t)
	require.Equal(t, "Renamed", name)
	require.Len(t, entries, 2)
	require.Equal(t, "TOKEN t createAgent /api/v1/agents/1 192.0.2.1 curl/8 createAgent", entries[0])
	require.Regexp(t, "^TOKEN t deleteLead /api/v1/leads/[-0-9a-f]{36} 192.0.2.1 curl/8 deleteLead$", entries[1])
}

func TestOnceByStatementLeavesTheEntryToTheStatement(t *testing.T) {
	t.Parallel()
	b := newAuditBed(t)
	require.Equal(t, http.StatusCreated, b.call(t, "createLead", func(ctx context.Context) (string, error) {
		return middleware.OnceByStatement(ctx, b.log, created, func(ctx context.Context, on postgres.Conn, entry audit.Entry) (string, error) {
			require.IsType(t, &postgres.DB{}, on, "no explicit transaction")
			entry.Target = "given"
			return "", b.log.Record(ctx, on, entry)
		})
	}))
	_, entries := b.state(t)
	require.Equal(t, []string{"TOKEN t createLead given 192.0.2.1 curl/8 createLead"}, entries)
}

// TestAfterwardsRecordsAnEffectOfACallerThatHasGone cancels the request while its effect
// happens.
func TestAfterwardsRecordsAnEffectOfACallerThatHasGone(t *testing.T) {
	t.Parallel()
	b := newAuditBed(t)
	for _, failed := range []error{errors.New("no effect"), nil} {
		b.call(t, "testIntegration", func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithCancel(ctx)
			return middleware.Afterwards(ctx, b.log, created, func(context.Context) (string, error) {
				cancel()
				return "", failed
			})
		})
	}
	_, entries := b.state(t)
	require.Len(t, entries, 1)
	require.Contains(t, entries[0], "testIntegration")
}
