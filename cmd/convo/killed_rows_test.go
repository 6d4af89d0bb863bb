package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/apitest"
)

// requireEachOperation requires a call of each operation that accepts an Idempotency-Key.
func requireEachOperation(t *testing.T, calls []*keyedCall) {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	var documented, called []string
	for _, o := range document.Operations {
		if o.Method == http.MethodPost && !o.ReadOnly {
			documented = append(documented, o.ID)
		}
	}
	for _, call := range calls {
		called = append(called, call.operation)
	}
	slices.Sort(documented)
	slices.Sort(called)
	require.Equal(t, documented, slices.Compact(called))
}

// countUpdates counts the committed updates of rows by operations that can be repeated
// without a visible difference.
func (b *killBed) countUpdates(t *testing.T) {
	t.Helper()
	for _, statement := range []string{
		"CREATE TABLE updates (id uuid NOT NULL)",
		"CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO updates VALUES (NEW.id); RETURN NULL; END $$",
		"CREATE TRIGGER counts AFTER UPDATE OF secret ON integrations FOR EACH ROW EXECUTE FUNCTION count_update()",
		"CREATE TRIGGER counts AFTER UPDATE ON webhook_deliveries FOR EACH ROW EXECUTE FUNCTION count_update()",
	} {
		_, err := b.connection.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
}

// callsOnRows are requests that change rows, each with rows of its own.
func (b *killBed) callsOnRows(t *testing.T) []*keyedCall {
	t.Helper()
	updated := func(id uuid.UUID) string { return fmt.Sprintf("SELECT count(*) FROM updates WHERE id = '%s'", id) }
	receiver := apitest.NewReceiver(t, nil)
	webhook := b.create(t, "/integrations/webhook", fmt.Sprintf(`{"type":"WEBHOOK","url":%q,"events":["lead.created"]}`, receiver.URL))
	b.post(t, fmt.Sprintf("/integrations/%s/test", webhook), "", "")
	deliveries := collect(t, b.connection, fmt.Sprintf("SELECT id FROM webhook_deliveries WHERE integration_id = '%s'", webhook))
	require.Len(t, deliveries, 1)
	uploaded := b.post(t, "/knowledge/upload", "text/plain", "cancelled "+uuid.NewString())
	crawled := b.post(t, "/knowledge/crawl", "application/json", fmt.Sprintf(`{"url":"https://docs.example.com/%s"}`, uuid.New()))
	_, err := b.connection.Exec(t.Context(), "UPDATE knowledge_jobs SET status = 'COMPLETED', finished_at = now() WHERE id = $1", crawled.ID)
	require.NoError(t, err)
	return []*keyedCall{
		{
			operation: "rotateIntegrationSecret", path: fmt.Sprintf("/integrations/%s/rotate-secret", webhook),
			contentType: "application/json", body: `{"overlapHours":1}`, effects: []string{updated(webhook)},
		},
		{
			operation: "redeliverIntegrationDelivery", path: fmt.Sprintf("/integrations/%s/deliveries/%s/redeliver", webhook, deliveries[0]),
			effects: []string{updated(deliveries[0])},
		},
		{
			operation: "cancelKnowledgeJob", path: fmt.Sprintf("/knowledge/jobs/%s/cancel", uploaded.ID), effects: []string{
				fmt.Sprintf("SELECT count(*) FROM knowledge_jobs WHERE id = '%s' AND status = 'CANCELLED'", uploaded.ID),
				fmt.Sprintf("SELECT 1 - count(*) FROM knowledge_sources WHERE id = '%s' AND deleted_at IS NULL", uploaded.SourceID),
				fmt.Sprintf("SELECT count(*) FROM river.river_job WHERE kind = 'knowledge_file_delete' AND args ->> 'sourceId' = '%s'", uploaded.SourceID),
			},
		},
		{
			operation: "refreshKnowledgeSource", path: fmt.Sprintf("/knowledge/sources/%s/refresh", crawled.SourceID), effects: []string{
				fmt.Sprintf("SELECT count(*) FROM knowledge_jobs WHERE source_id = '%s' AND refresh", crawled.SourceID),
			},
		},
	}
}

// requireDeletedFiles starts a worker, and requires that it deletes the files of the
// sources whose first job was cancelled.
func (b *killBed) requireDeletedFiles(t *testing.T) {
	t.Helper()
	rows, err := b.connection.Query(t.Context(), "SELECT (args ->> 'workspaceId') || '/' || (args ->> 'sourceId') FROM river.river_job WHERE kind = 'knowledge_file_delete'")
	require.NoError(t, err)
	var files []string
	for rows.Next() {
		var file string
		require.NoError(t, rows.Scan(&file))
		files = append(files, filepath.Join(b.storage, file))
		require.FileExists(t, files[len(files)-1])
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, files)
	start(t, b.environment, "work")
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(files, func(file string) bool {
			_, err := os.Stat(file)
			return err == nil
		})
	}, time.Minute, 50*time.Millisecond, "a worker deletes the files")
}
