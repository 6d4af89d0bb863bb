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
		"CREATE TRIGGER counts AFTER UPDATE OF error_code ON channels FOR EACH ROW EXECUTE FUNCTION count_update()",
		"CREATE TRIGGER counts AFTER UPDATE OF published_version ON agents FOR EACH ROW EXECUTE FUNCTION count_update()",
		"CREATE TABLE authorizations (id uuid NOT NULL)",
		"CREATE FUNCTION count_authorization() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO authorizations VALUES (NEW.id); RETURN NULL; END $$",
		"CREATE TRIGGER authorizes AFTER UPDATE OF authorization_hash ON channels FOR EACH ROW EXECUTE FUNCTION count_authorization()",
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
	draft := b.create(t, "/agents", `{"name":"Draft","modelProvider":"builtin","modelName":"extractive"}`)
	published := b.create(t, "/agents", `{"name":"Published","modelProvider":"builtin","modelName":"extractive","status":"PUBLISHED"}`)
	return []*keyedCall{
		{operation: "publishAgent", path: fmt.Sprintf("/agents/%s/publish", draft), effects: []string{
			updated(draft), fmt.Sprintf("SELECT count(*) FROM agent_versions WHERE agent_id = '%s'", draft),
		}},
		{
			operation: "rollBackAgent", path: fmt.Sprintf("/agents/%s/rollback", published), contentType: "application/json", body: `{"version":1}`,
			effects: []string{fmt.Sprintf("SELECT count(*) - 1 FROM updates WHERE id = '%s'", published)}, // it was published once
		},
		{
			operation: "createAgentEvaluation", path: fmt.Sprintf("/agents/%s/evaluations", draft), contentType: "application/json",
			body: `{"name":"KEY","cases":[{"id":"a","ask":["Hello"],"expect":{"outcome":"ANSWERED"}}]}`, effects: []string{
				"SELECT count(*) FROM agent_evaluations WHERE name = 'KEY'",
				"SELECT count(*) FROM agent_evaluation_cases JOIN agent_evaluations AS of ON of.id = evaluation_id WHERE of.name = 'KEY'",
			},
		},
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

// callsOnChannels are requests about channels and operators.
func (b *killBed) callsOnChannels(t *testing.T, agent uuid.UUID) []*keyedCall {
	t.Helper()
	const isJSON = "application/json"
	checked := b.create(t, "/channels", fmt.Sprintf(`{"type":"WEBSITE","name":"Checked","agentId":%q}`, agent))
	mail := b.create(t, "/channels", fmt.Sprintf(`{"type":"EMAIL","name":"Mail","agentId":%q,
		"config":{"fromAddress":"help@example.com","inbound":"mailgun","smtp":{"host":"127.0.0.1","port":1,"security":"none"}},"credentials":{"mailgunSigningKey":"key-0123456789"}}`, agent))
	slack := b.create(t, "/channels", fmt.Sprintf(`{"type":"SLACK","name":"Slack","agentId":%q,"apiBaseUrl":"http://127.0.0.1:1",
		"config":{"clientId":"1.2"},"credentials":{"signingSecret":"0123456789abcdef0123456789abcdef","clientSecret":"0123456789abcdef0123456789abcdef"}}`, agent))
	whatsapp := b.create(t, "/channels", fmt.Sprintf(`{"type":"WHATSAPP","name":"WhatsApp","agentId":%q,"apiBaseUrl":"http://127.0.0.1:1",
		"config":{"phoneNumberId":"1","businessAccountId":"2"},"credentials":{"accessToken":"EAAG0123456789","appSecret":"0123456789abcdef0123456789abcdef","verifyToken":"0123456789"}}`, agent))
	windowed := collect(t, b.connection, fmt.Sprintf(`WITH moved AS (
			SELECT workspace_id, id, contact_id FROM conversations WHERE status = 'CLOSED' AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'demo') ORDER BY id DESC LIMIT 1
		), known AS (
			INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, created_at, last_seen_at)
			SELECT workspace_id, '%[1]s', '48100000001', contact_id, true, now(), now() FROM moved
		)
		UPDATE conversations SET status = 'HANDED_OFF', channel_id = '%[1]s', identity_external_id = '48100000001' FROM moved
		WHERE conversations.workspace_id = moved.workspace_id AND conversations.id = moved.id RETURNING conversations.id`, whatsapp))
	require.Len(t, windowed, 1)
	return []*keyedCall{
		{operation: "authorizeChannel", path: fmt.Sprintf("/channels/%s/authorization", slack), effects: []string{
			fmt.Sprintf("SELECT count(*) FROM authorizations WHERE id = '%s'", slack),
		}},
		{operation: "sendTemplateMessage", path: fmt.Sprintf("/conversations/%s/template-message", windowed[0]), contentType: isJSON, body: `{"name":"hello","language":"en","parameters":["KEY"]}`, effects: []string{
			"SELECT count(*) FROM messages WHERE content = 'hello: KEY'",
			"SELECT count(*) FROM outbound_messages WHERE message_id IN (SELECT id FROM messages WHERE content = 'hello: KEY')",
		}},
		{operation: "createConversation", path: "/conversations", contentType: isJSON, body: fmt.Sprintf(`{"channelId":%q,"to":"anna@example.com","content":"KEY"}`, mail), effects: []string{
			"SELECT count(*) FROM messages WHERE content = 'KEY'",
			fmt.Sprintf("SELECT count(*) FROM conversations JOIN messages ON conversation_id = conversations.id WHERE content = 'KEY' AND channel_id = '%s'", mail),
			"SELECT count(*) FROM outbound_messages WHERE message_id IN (SELECT id FROM messages WHERE content = 'KEY')",
		}},
		{operation: "createChannel", path: "/channels", contentType: isJSON, body: fmt.Sprintf(`{"type":"WEBSITE","name":"KEY","agentId":%q}`, agent), effects: []string{
			"SELECT count(*) FROM channels WHERE name = 'KEY'",
		}},
		{operation: "checkChannel", path: fmt.Sprintf("/channels/%s/check", checked), effects: []string{
			fmt.Sprintf("SELECT count(*) - 1 FROM updates WHERE id = '%s'", checked), // it was checked when it was created
		}},
		{operation: "createOperator", path: "/operators", contentType: isJSON, body: `{"name":"KEY"}`, effects: []string{"SELECT count(*) FROM operators WHERE name = 'KEY'"}},
	}
}

// callsOnConversations are requests that change the status of conversations: the nth of each
// status, and not the one that is used for other requests.
func (b *killBed) callsOnConversations(t *testing.T, used uuid.UUID, n int) []*keyedCall {
	t.Helper()
	call := func(operation, action, status string, offset int, event string) *keyedCall {
		found := collect(t, b.connection, fmt.Sprintf(`SELECT id FROM conversations WHERE status = '%s' AND id <> '%s'
			AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'demo') ORDER BY id LIMIT 1 OFFSET %d`, status, used, offset))
		require.Len(t, found, 1, status)
		return &keyedCall{operation: operation, path: fmt.Sprintf("/conversations/%s/%s", found[0], action), effects: []string{fmt.Sprintf(
			"SELECT count(*) FROM event_outbox WHERE type = '%s' AND data -> 'conversation' ->> 'id' = '%s'", event, found[0],
		)}}
	}
	return []*keyedCall{
		call("handOffConversation", "hand-off", "OPEN", 2*n, "conversation.handed_off"),
		call("closeConversation", "close", "OPEN", 2*n+1, "conversation.closed"),
		call("releaseConversation", "release", "HANDED_OFF", n, "conversation.released"),
		call("reopenConversation", "reopen", "CLOSED", n, "conversation.reopened"),
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
