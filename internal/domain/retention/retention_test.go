package retention_test

import (
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/retention"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// TestRowsPastTheirRetentionAreDeleted inserts rows that are a minute over and under their
// retention before a worker starts.
func TestRowsPastTheirRetentionAreDeleted(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	subscribe := func(body string) {
		s.Post(t, token, "/integrations/webhook", body).Want(t, http.StatusCreated)
	}
	subscribe(`{"type":"WEBHOOK","url":"https://hooks.example.com","events":["lead.created"]}`)
	subscribe(`{"type":"WEBHOOK","url":"http://localhost:1","events":["lead.created"],"temporary":true}`)
	for _, key := range []string{"old", "fresh"} {
		s.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/leads", Token: token, Body: `{"fields":{"name":"A"}}`, Header: map[string]string{"Idempotency-Key": key},
		}).Want(t, http.StatusCreated)
	}
	s.Sequence(t)
	before := func(age time.Duration) time.Time { return s.Clock.Now().Add(-age - time.Minute) }
	s.Exec(t, "UPDATE events SET occurred_at = $1 WHERE sequence = 1", before(event.Kept))
	s.Exec(t, "UPDATE events SET occurred_at = $1 WHERE sequence = 2", before(event.Kept).Add(2*time.Minute))
	s.Exec(t, "UPDATE webhook_deliveries SET created_at = $1, status = 'SUCCEEDED' WHERE event_sequence = 1", before(event.Kept))
	s.Exec(t, "UPDATE webhook_deliveries SET created_at = $1, status = 'SUCCEEDED' WHERE event_sequence = 2", before(event.Kept).Add(2*time.Minute))
	s.Exec(t, "UPDATE integrations SET expires_at = $1 WHERE expires_at IS NOT NULL", before(integration.TemporaryFor))
	s.Post(t, token, "/agents", `{"name":"A","modelProvider":"builtin","modelName":"builtin"}`).Want(t, http.StatusCreated)
	s.Exec(t, "ALTER TABLE agent_runs DROP CONSTRAINT agent_runs_conversation_fkey")
	for _, finished := range []*time.Time{new(before(agent.RunsKept)), new(before(agent.RunsKept).Add(2 * time.Minute)), nil} {
		s.Exec(t, `INSERT INTO agent_runs (workspace_id, id, agent_id, conversation_id, message_id, deadline_at, created_at, finished_at, outcome)
			SELECT workspace_id, gen_random_uuid(), id, gen_random_uuid(), id, $1, $1, $2::timestamptz, CASE WHEN $2::timestamptz IS NOT NULL THEN 'DROPPED' END
			FROM agents`, before(2*agent.RunsKept), finished)
	}
	for _, finished := range []*time.Time{new(before(evaluator.KeptFor)), new(before(evaluator.KeptFor).Add(2 * time.Minute))} {
		s.Exec(t, `INSERT INTO agent_evaluations (workspace_id, id, agent_id, system_prompt, model_provider, model_name, temperature, max_tokens, name, created_at, finished_at)
			SELECT workspace_id, gen_random_uuid(), id, '', '', '', 0, 1, '', $1, $1 FROM agents`, finished)
	}
	s.Exec(t, "INSERT INTO agent_evaluation_cases (workspace_id, evaluation_id, position, definition) SELECT workspace_id, id, 1, '{}' FROM agent_evaluations")
	for _, called := range []time.Time{before(spending.Kept), before(spending.Kept).Add(2 * time.Minute)} {
		s.Exec(t, `INSERT INTO model_calls (workspace_id, id, agent_id, provider, model, created_at)
			SELECT workspace_id, gen_random_uuid(), id, 'openai', 'm', $1 FROM agents`, called)
	}
	s.Exec(t, "UPDATE idempotency_keys SET created_at = $1 WHERE key = 'old'", before(24*time.Hour))

	apitest.New(t, apitest.Options{Workers: true, DatabaseURL: s.DatabaseURL})
	require.Eventually(t, func() bool {
		var left []int64
		err := s.DB.QueryRow(t.Context(), `SELECT ARRAY[(SELECT count(*) FROM events), (SELECT count(*) FROM webhook_deliveries),
			(SELECT count(*) FROM integrations), (SELECT count(*) FROM idempotency_keys),
			(SELECT count(*) FROM agent_runs), (SELECT count(*) FROM model_calls), (SELECT count(*) FROM agent_evaluations), (SELECT count(*) FROM agent_evaluation_cases)]`).Scan(&left)
		return err == nil && slices.Equal(left, []int64{1, 1, 1, 1, 2, 1, 1, 1})
	}, time.Minute, 20*time.Millisecond)
}

// TestABacklogIsDeletedInBatches counts the rows that each statement deletes.
func TestABacklogIsDeletedInBatches(t *testing.T) {
	t.Parallel()
	const backlog = 12_001
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	s.Post(t, token, "/integrations/webhook", `{"type":"WEBHOOK","url":"https://hooks.example.com","events":["lead.created"]}`).Want(t, http.StatusCreated)
	s.Post(t, token, "/integrations/webhook", `{"type":"WEBHOOK","url":"http://localhost:1","events":["lead.created"],"temporary":true}`).Want(t, http.StatusCreated)
	s.Exec(t, "UPDATE integrations SET expires_at = $1 WHERE expires_at IS NOT NULL", s.Clock.Now().Add(-time.Minute))
	old := s.Clock.Now().Add(-event.Kept - time.Minute)
	for _, insert := range []string{
		`INSERT INTO events (workspace_id, sequence, id, type, data, occurred_at)
			SELECT (SELECT id FROM workspaces), n, gen_random_uuid(), 'lead.created', '{}', $2 FROM generate_series(1000, 999 + $1) AS n`,
		`INSERT INTO sessions (token, data, expiry) SELECT n::text, '', $2 FROM generate_series(1, $1) AS n`,
		`INSERT INTO webhook_deliveries (workspace_id, integration_id, id, event_sequence, status, next_attempt_at, created_at)
			SELECT workspace_id, id, gen_random_uuid(), 1000, 'SUCCEEDED', $2, CASE WHEN expires_at IS NULL THEN $2 ELSE now() END
			FROM integrations, generate_series(1, $1) AS n`,
	} {
		s.Exec(t, insert, backlog, old)
	}
	s.Exec(t, "CREATE TABLE deleted (source text, n int)")
	s.Exec(t, `CREATE FUNCTION count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO deleted SELECT TG_TABLE_NAME, count(*) FROM gone; RETURN NULL; END $$`)
	for _, table := range []string{"events", "sessions", "webhook_deliveries", "integrations"} {
		s.Exec(t, `CREATE TRIGGER counts AFTER DELETE ON `+table+` REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_deleted()`)
	}

	worker := &retention.Worker{DB: s.DB, Clock: s.Clock, Log: slog.New(slog.DiscardHandler)}
	require.NoError(t, worker.Work(t.Context(), &river.Job[retention.Job]{}))
	var left int
	require.NoError(t, s.DB.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM sessions)
		+ (SELECT count(*) FROM webhook_deliveries) + (SELECT count(*) FROM integrations WHERE expires_at IS NOT NULL)`).Scan(&left))
	require.Zero(t, left)
	var most, total int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT max(n), sum(n) FROM deleted").Scan(&most, &total))
	require.Equal(t, 5000, most)
	require.Equal(t, 4*backlog+1, total)
}

// TestADeletedSourceDisappearsImmediatelyAndIsRemovedInBatches deletes a source with more rows
// than one statement should delete.
func TestADeletedSourceDisappearsImmediatelyAndIsRemovedInBatches(t *testing.T) {
	t.Parallel()
	const backlog, file = 12_001, "Shoes can be returned within thirty days."
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	upload := func() api.KnowledgeJob {
		response := s.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/knowledge/upload", Token: token, Body: file, Header: map[string]string{"Content-Type": "text/plain"},
		})
		return apitest.Decode[api.KnowledgeJob](t, response.Want(t, http.StatusAccepted))
	}
	job := upload()
	for _, insert := range []string{
		`INSERT INTO knowledge_documents (workspace_id, source_id, url, content_hash)
			SELECT workspace_id, id, n::text, '' FROM knowledge_sources, generate_series(1, $1) AS n`,
		`INSERT INTO knowledge_chunks (workspace_id, source_id, id, document_url, content, terms)
			SELECT workspace_id, id, gen_random_uuid(), n::text, 'returned', to_tsvector('simple', 'return') || array_to_tsvector(ARRAY['w' || replace(workspace_id::text, '-', '')])
			FROM knowledge_sources, generate_series(1, $1) AS n`,
		`INSERT INTO knowledge_jobs (workspace_id, id, source_id, type, status, file_name, refresh, created_at)
			SELECT workspace_id, gen_random_uuid(), id, 'UPLOAD', 'COMPLETED', 'a.txt', true, created_at FROM knowledge_sources, generate_series(1, $1) AS n`,
	} {
		s.Exec(t, insert, backlog)
	}
	s.Exec(t, "CREATE TABLE changed (source text, n int)")
	s.Exec(t, `CREATE FUNCTION count_changed() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO changed SELECT TG_TABLE_NAME, count(*) FROM gone HAVING count(*) > 1; RETURN NULL; END $$`)
	for _, table := range []string{"knowledge_documents", "knowledge_chunks"} {
		s.Exec(t, `CREATE TRIGGER counts AFTER DELETE ON `+table+` REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_changed()`)
	}
	s.Exec(t, `CREATE TRIGGER counts AFTER UPDATE ON knowledge_jobs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_changed()`)
	count := func(query string) (n int) {
		require.NoError(t, s.DB.QueryRow(t.Context(), query).Scan(&n))
		return n
	}

	path := "/knowledge/sources/" + job.SourceID.String()
	s.Delete(t, token, path).Want(t, http.StatusNoContent)
	require.Zero(t, count("SELECT count(*) FROM changed"), "the request changes no more than single rows")
	s.Delete(t, token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Post(t, token, path+"/refresh", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	require.JSONEq(t, "[]", string(s.Get(t, token, "/knowledge/sources").Want(t, http.StatusOK).Body))
	require.JSONEq(t, "[]", string(s.Post(t, token, "/knowledge/search", `{"query":"returned"}`).Want(t, http.StatusOK).Body))
	ended := apitest.Decode[api.KnowledgeJob](t, s.Get(t, token, "/knowledge/jobs/"+job.ID.String()).Want(t, http.StatusOK))
	require.Nil(t, ended.SourceID)
	require.Equal(t, api.KnowledgeJobStatusCANCELLED, ended.Status)
	again := upload()
	require.NotEqual(t, job.SourceID, again.SourceID, "the same bytes are a new source")

	apitest.New(t, apitest.Options{Workers: true, DatabaseURL: s.DatabaseURL, Config: apitest.Config{Storage: s.Storage}})
	require.Eventually(t, func() bool { return count("SELECT count(*) FROM knowledge_sources") == 1 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, 5000, count("SELECT max(n) FROM changed"))
	require.Equal(t, backlog+1, count("SELECT count(*) FROM knowledge_jobs WHERE source_id IS NULL"), "jobs stay readable")
	require.Zero(t, count("SELECT count(*) FROM knowledge_chunks WHERE content = 'returned'"))
}
