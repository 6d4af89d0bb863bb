package demo_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func loaded(t *testing.T) *postgres.DB {
	t.Helper()
	on := testdb.New(t)
	ok, err := demo.Load(t.Context(), on)
	require.NoError(t, err)
	require.True(t, ok)
	return on
}

// count returns the result of a query that counts.
func count(t *testing.T, on *postgres.DB, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, on.QueryRow(t.Context(), query, args...).Scan(&n), query)
	return n
}

// counts returns the results of a query that groups: key and count.
func counts(t *testing.T, on *postgres.DB, query string) map[string]int {
	t.Helper()
	rows, err := on.Query(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var key string
		var n int
		require.NoError(t, rows.Scan(&key, &n))
		all[key] = n
	}
	require.NoError(t, rows.Err())
	return all
}

// dump returns all rows of all tables with demo data.
func dump(t *testing.T, on *postgres.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range []string{
		"workspaces", "agents", "agent_versions", "channels", "operators", "tags", "contacts", "contact_identities", "conversations", "conversation_tags",
		"conversation_status_changes", "messages", "leads", "integrations", "knowledge_sources", "knowledge_documents", "knowledge_chunks",
	} {
		var rows string
		require.NoError(t, on.QueryRow(t.Context(), "SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY to_jsonb(r)::text), '[]')::text FROM "+table+" AS r").Scan(&rows))
		require.NotEqual(t, "[]", rows, table)
		all[table] = rows
	}
	return all
}

func TestDemoDataIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	one := loaded(t)
	before := dump(t, one)
	require.Equal(t, before, dump(t, loaded(t)))
	again, err := demo.Load(t.Context(), one)
	require.NoError(t, err)
	require.False(t, again)
	require.Equal(t, before, dump(t, one), "a database with data is not changed")
}

// TestDemoDataIsLoadedIntoEmptyDatabasesOnly loads it into a database with a workspace.
func TestDemoDataIsLoadedIntoEmptyDatabasesOnly(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	_, err := on.Exec(t.Context(), "INSERT INTO workspaces (id, slug, name, created_at) VALUES ($1, 'mine', 'Mine', now())", uuid.New())
	require.NoError(t, err)
	ok, err := demo.Load(t.Context(), on)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, 1, count(t, on, "SELECT count(*) FROM workspaces"))
	require.Zero(t, count(t, on, "SELECT count(*) FROM leads"))
}

// inDemo restricts a query to the workspace with the rich data.
const inDemo = " WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'demo') "

// TestDemoDataHasOneOfEachKind: examples and tests rely on it.
func TestDemoDataHasOneOfEachKind(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	require.Equal(t, map[string]int{"demo": 1, "other": 1}, counts(t, on, "SELECT slug, count(*) FROM workspaces GROUP BY 1"))

	statuses := counts(t, on, "SELECT status, count(*) FROM conversations"+inDemo+"GROUP BY 1")
	require.Len(t, statuses, 3)
	require.GreaterOrEqual(t, statuses["OPEN"], 3)
	for _, status := range []string{"HANDED_OFF", "CLOSED"} {
		require.Positive(t, statuses[status], status)
	}

	stages := counts(t, on, "SELECT concat(status, CASE WHEN score IS NULL THEN ' unscored' ELSE ' scored' END), count(*) FROM leads"+inDemo+"GROUP BY 1")
	for _, stage := range []string{"NEW", "QUALIFIED", "CONTACTED", "WON", "LOST"} {
		require.Positive(t, stages[stage+" scored"], stage)
		require.Positive(t, stages[stage+" unscored"], stage)
	}
	require.Len(t, stages, 10)

	channels := counts(t, on, "SELECT type, count(*) FROM channels"+inDemo+"GROUP BY 1")
	for _, kind := range []string{"WEBSITE", "TELEGRAM", "WHATSAPP", "MESSENGER", "VIBER", "EMAIL", "SLACK", "DISCORD", "SMS", "VOICE"} {
		require.Equal(t, 1, channels[kind], kind)
	}
	require.Len(t, channels, 10)

	for _, table := range []string{"tags", "operators", "agents"} {
		require.GreaterOrEqual(t, count(t, on, "SELECT count(*) FROM "+table+inDemo), 2, table)
	}
	require.Positive(t, count(t, on, "SELECT count(DISTINCT status) FROM agents"+inDemo+"HAVING count(DISTINCT status) = 3"))
	for _, table := range []string{"leads", "conversations", "channels", "tags", "operators", "agents"} {
		require.Positive(t, count(t, on, "SELECT count(*) FROM "+table+" WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = 'other')"), table)
	}
}

// TestDemoDataIsConsistent checks what the services ensure for real data.
func TestDemoDataIsConsistent(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	for name, violations := range map[string]string{
		"a conversation without messages":              "SELECT count(*) FROM conversations AS c WHERE NOT EXISTS (SELECT FROM messages AS m WHERE (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id))",
		"a last message that is not the last":          "SELECT count(*) FROM conversations AS c WHERE last_message_at <> (SELECT max(created_at) FROM messages AS m WHERE (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id))",
		"a status other than that of the last change":  "SELECT count(*) FROM conversations AS c WHERE status <> (SELECT to_status FROM conversation_status_changes AS s WHERE (s.workspace_id, s.conversation_id) = (c.workspace_id, c.id) ORDER BY seq DESC LIMIT 1)",
		"a handed-off conversation without a time":     "SELECT count(*) FROM conversations WHERE status = 'HANDED_OFF' AND handed_off_at IS NULL",
		"a conversation that cannot be replied to":     "SELECT count(*) FROM conversations WHERE identity_external_id IS NULL",
		"a last inbound message that is not the last":  "SELECT count(*) FROM conversations AS c WHERE last_inbound_at <> (SELECT max(created_at) FROM messages AS m WHERE (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id) AND role = 'USER')",
		"a revision of no message":                     "SELECT count(*) FROM conversations AS c WHERE revision <> (SELECT max(revision) FROM messages AS m WHERE (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id))",
		"a message before its conversation":            "SELECT count(*) FROM messages AS m JOIN conversations AS c ON (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id) WHERE m.created_at < c.created_at",
		"a reply before the handoff":                   "SELECT count(*) FROM conversations WHERE first_operator_reply_at < handed_off_at",
		"an author without an ID":                      "SELECT count(*) FROM messages WHERE CASE author_type WHEN 'CONTACT' THEN contact_id WHEN 'AGENT' THEN agent_id ELSE operator_id END IS NULL",
		"a role that does not match the author":        "SELECT count(*) FROM messages WHERE (role = 'USER') <> (author_type = 'CONTACT')",
		"a row that was updated before it was created": "SELECT count(*) FROM leads WHERE updated_at < created_at",
		"a published agent without its version":        "SELECT count(*) FROM agents AS a WHERE status = 'PUBLISHED' AND NOT EXISTS (SELECT FROM agent_versions AS v WHERE (v.workspace_id, v.agent_id, v.number) = (a.workspace_id, a.id, a.published_version))",
		"a lead without an email address":              "SELECT count(*) FROM leads WHERE NOT fields ? 'email'",
	} {
		require.Zero(t, count(t, on, violations), name)
	}
}

// TestDemoDataHasTheDocumentsExamples: the documentation's samples use these IDs.
func TestDemoDataHasTheDocumentsExamples(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	const one, two = "019dde42-9a00-7c3a-9f21-6a0b5f1d2e01", "019dde42-9a00-7c3a-9f21-6a0b5f1d2e02"
	for _, table := range []string{"agents", "leads", "conversations", "messages"} {
		require.Equal(t, 1, count(t, on, "SELECT count(*) FROM "+table+inDemo+"AND id = $1", one), table)
	}
	require.Equal(t, 1, count(t, on, "SELECT count(*) FROM conversations"+inDemo+"AND id = $1 AND status = 'OPEN'", two))
	require.Equal(t, 1, count(t, on, "SELECT count(*) FROM conversations"+inDemo+"AND id = $1 AND status = 'HANDED_OFF'", one))
}

func TestLoadLeadsSpreadsThemOverAYear(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	var space uuid.UUID
	require.NoError(t, on.QueryRow(t.Context(), "SELECT id FROM workspaces WHERE slug = 'other'").Scan(&space))
	const inOther = " FROM leads WHERE workspace_id = $1 AND source = 'seed'"
	now, reported := time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC), []int(nil)
	require.NoError(t, demo.LoadLeads(t.Context(), on, space, now, 10_500, func(n int) { reported = append(reported, n) }))
	require.Equal(t, []int{10_000, 500}, reported, "in batches")
	require.Equal(t, 10_500, count(t, on, "SELECT count(*)"+inOther, space))
	require.Equal(t, 5, count(t, on, "SELECT count(DISTINCT status)"+inOther, space))
	require.Zero(t, count(t, on, "SELECT count(*)"+inOther+" AND (created_at > $2 OR created_at < $2 - interval '365 days')", space, now))
	require.Equal(t, 12, count(t, on, "SELECT count(DISTINCT date_trunc('month', created_at))"+inOther, space))
	unscored := count(t, on, "SELECT count(*)"+inOther+" AND score IS NULL", space)
	require.InDelta(t, 10_500/5, unscored, 400, "one in five has no score")
	require.NoError(t, demo.LoadLeads(t.Context(), on, space, now, 0, func(int) { require.Fail(t, "nothing to report") }))
}

func TestFilesOfTheDemoAreStored(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	files, err := blob.Directory(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, demo.StoreFiles(t.Context(), on, files))
	rows, err := on.Query(t.Context(), "SELECT workspace_id || '/' || id FROM knowledge_sources")
	require.NoError(t, err)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, keys, 2)
	for _, key := range keys {
		file, err := files.Open(t.Context(), key)
		require.NoError(t, err)
		content, err := io.ReadAll(file)
		require.NoError(t, errors.Join(err, file.Close()))
		require.Contains(t, string(content), "## ")
	}
}
