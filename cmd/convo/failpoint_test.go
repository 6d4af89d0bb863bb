package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/failpoint"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/testing/apitest"
)

// keyedCall is a request with an Idempotency-Key whose server is killed at a point. KEY
// stands for its key in all strings.
type keyedCall struct {
	operation, point        string
	path, contentType, body string
	// effects are queries for numbers that must be 1 in the end.
	effects []string
	// receiver is the endpoint that test events are sent to, and pings is how many it must
	// receive.
	receiver *apitest.Receiver
	pings    int
}

func (c *keyedCall) key() string { return c.operation + "." + c.point }

// stored reports whether the response was stored before the server was killed.
func (c *keyedCall) stored() bool {
	return c.point == failpoint.Committed || c.point == failpoint.OutcomeStored
}

func (c *keyedCall) with(text string) string { return strings.ReplaceAll(text, "KEY", c.key()) }

// keyedResponse has the status 0 if the server did not respond.
type keyedResponse struct {
	status int
	header http.Header
	body   []byte
}

func (c *keyedCall) send(ctx context.Context, to *process, token string) (response keyedResponse) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.addr+"/api/v1"+c.path, strings.NewReader(c.with(c.body)))
	if err != nil {
		return response
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Idempotency-Key", c.key())
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	received, err := http.DefaultClient.Do(request)
	if err != nil {
		return response
	}
	defer received.Body.Close()
	if response.body, err = io.ReadAll(received.Body); err != nil {
		return keyedResponse{}
	}
	response.status, response.header = received.StatusCode, received.Header
	return response
}

// TestKeyedRequestsSurviveAKillAtEachPoint kills a server at each step of keyed requests,
// and repeats the requests with another server. Changes to the database are made exactly
// once, and a test event is sent at most once more than the key allows.
func TestKeyedRequestsSurviveAKillAtEachPoint(t *testing.T) {
	t.Parallel()
	b := newKillBed(t)
	calls := b.calls(t)
	requireEachOperation(t, calls)
	started := time.Now()
	for _, call := range calls {
		doomed := startBinary(t, b.killer, append(slices.Clip(b.environment), failpoint.Variable+"="+call.point), "serve", "--workers=false")
		require.Zero(t, call.send(t.Context(), doomed, b.token).status, "%s: killed before its response", call.key())
		<-doomed.ended
		if !call.stored() {
			inUse := call.send(t.Context(), b.server, b.token)
			require.Equal(t, http.StatusConflict, inUse.status, "%s: its lease has not ended: %s", call.key(), inUse.body)
			wait, err := strconv.Atoi(inUse.header.Get("Retry-After"))
			require.NoError(t, err)
			require.LessOrEqual(t, wait, 21, call.key())
		}
	}
	for _, call := range calls {
		b.complete(t, call)
	}
	b.requireDeletedFiles(t)
	apitest.Tallyf(t, "kills: %d keyed requests are completed in %s", len(calls), time.Since(started).Round(time.Second))
}

// killBed is a server that is not killed, its database, and a program to kill.
type killBed struct {
	environment    []string
	server         *process
	token, storage string
	killer         string
	connection     *pgx.Conn
}

// buildKiller builds a convo that kills itself at the point that its environment names.
func buildKiller(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "convo")
	said, err := exec.Command("go", "build", "-tags", "failpoint", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
	return path
}

func newKillBed(t *testing.T) *killBed {
	t.Helper()
	dir := t.TempDir()
	b := &killBed{storage: filepath.Join(dir, "files"), killer: buildKiller(t)}
	database, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(dir, "postgres"), Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop(context.WithoutCancel(t.Context()))) })
	b.environment = []string{
		"DATABASE_URL=" + database.URL("postgres"), "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_ALLOWED_TARGETS=127.0.0.0/8",
		"CONVO_STORAGE=" + b.storage, "CONVO_REQUEST_TIMEOUT=20s", // and so leases of 21 s, which a slow machine does not outlast
	}
	b.server = start(t, b.environment, "serve", "--workers=false")
	f := faults{environment: b.environment}
	f.run(t, "seed")
	liftLimits(t, database.URL("postgres"))
	b.token = strings.TrimSpace(f.run(t, "token", "create", "--workspace", "demo", "--name", "keys",
		"--scope", "leads:read", "--scope", "leads:write", "--scope", "conversations:read", "--scope", "conversations:write", "--scope", "agents:write"))
	b.connection, err = pgx.Connect(t.Context(), database.URL("postgres"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.connection.Close(context.WithoutCancel(t.Context()))) })
	b.countUpdates(t)
	return b
}

// calls returns each operation with each point that it passes.
func (b *killBed) calls(t *testing.T) (calls []*keyedCall) {
	t.Helper()
	handedOff := collect(t, b.connection, "SELECT id FROM conversations WHERE status = 'HANDED_OFF' AND workspace_id = (SELECT id FROM workspaces WHERE slug = 'demo') LIMIT 1")
	require.NotEmpty(t, handedOff)
	agent := b.create(t, "/agents", `{"name":"A","modelProvider":"openai","modelName":"gpt-4o-mini"}`)
	for n, point := range []string{failpoint.KeyReserved, failpoint.ChangeMade, failpoint.ResponseStored, failpoint.Committed} {
		tag := b.create(t, "/tags", fmt.Sprintf(`{"name":%q}`, point))
		all := slices.Concat(databaseCalls(handedOff[0], tag), b.callsOnRows(t), b.callsOnChannels(t, agent), b.callsOnConversations(t, handedOff[0], n))
		for _, call := range all {
			call.point = point
			calls = append(calls, call)
		}
	}
	for point, pings := range map[string]int{failpoint.KeyReserved: 1, failpoint.EffectDone: 2, failpoint.OutcomeStored: 1} {
		receiver := apitest.NewReceiver(t, nil)
		webhook := b.create(t, "/integrations/webhook", fmt.Sprintf(`{"type":"WEBHOOK","url":%q,"events":["lead.created"]}`, receiver.URL))
		calls = append(calls, &keyedCall{
			operation: "testIntegration", point: point, path: "/integrations/" + webhook.String() + "/test", receiver: receiver, pings: pings,
		})
	}
	return calls
}

// databaseCalls are requests that change the database in one transaction.
func databaseCalls(handedOff, tag uuid.UUID) []*keyedCall {
	const (
		isJSON = "application/json"
		job    = "SELECT count(*) FROM knowledge_jobs AS job JOIN knowledge_sources AS source ON source.id = job.source_id WHERE job.status = 'PENDING' AND "
	)
	return []*keyedCall{
		{operation: "createLead", path: "/leads", contentType: isJSON, body: `{"fields":{"name":"KEY"}}`, effects: []string{
			"SELECT count(*) FROM leads WHERE fields ->> 'name' = 'KEY'",
			"SELECT count(*) FROM event_outbox WHERE type = 'lead.created' AND data -> 'lead' -> 'fields' ->> 'name' = 'KEY'",
		}},
		{operation: "createAgent", path: "/agents", contentType: isJSON, body: `{"name":"KEY","modelProvider":"openai","modelName":"gpt-4o-mini"}`, effects: []string{
			"SELECT count(*) FROM agents WHERE name = 'KEY'",
		}},
		{operation: "createTag", path: "/tags", contentType: isJSON, body: `{"name":"KEY"}`, effects: []string{"SELECT count(*) FROM tags WHERE name = 'KEY'"}},
		{operation: "createWebhook", path: "/integrations/webhook", contentType: isJSON, effects: []string{
			"SELECT count(*) FROM integrations WHERE url = 'https://hooks.example.com/KEY'",
		}, body: `{"type":"WEBHOOK","url":"https://hooks.example.com/KEY","events":["conversation.closed"]}`},
		{operation: "sendOperatorMessage", path: "/conversations/" + handedOff.String() + "/operator-message", contentType: isJSON, body: `{"content":"KEY"}`, effects: []string{
			"SELECT count(*) FROM messages WHERE content = 'KEY'",
			"SELECT count(*) FROM outbound_messages WHERE message_id IN (SELECT id FROM messages WHERE content = 'KEY')",
		}},
		{operation: "bulkUpdateConversations", path: "/conversations/bulk", contentType: isJSON, effects: []string{
			"SELECT count(*) FROM event_outbox WHERE type = 'conversation.tags_changed' AND data::text LIKE '%" + tag.String() + "%'",
		}, body: fmt.Sprintf(`{"ids":[%q],"action":"tag","tagIds":[%q]}`, handedOff, tag)},
		{operation: "crawlKnowledge", path: "/knowledge/crawl", contentType: isJSON, body: `{"url":"https://docs.example.com/KEY"}`, effects: []string{
			"SELECT count(*) FROM knowledge_sources WHERE url = 'https://docs.example.com/KEY'", job + "source.url = 'https://docs.example.com/KEY'",
		}},
		{operation: "uploadKnowledge", path: "/knowledge/upload", contentType: "text/plain", body: "KEY", effects: []string{
			job + "source.sha256 = sha256('KEY')",
		}},
	}
}

// create sends a request that creates something, and returns its ID.
func (b *killBed) create(t *testing.T, path, body string) uuid.UUID {
	t.Helper()
	created := b.post(t, path, "application/json", body)
	require.NotZero(t, created.ID)
	return created.ID
}

// createdRow is the part of a response that identifies what was created.
type createdRow struct {
	ID       uuid.UUID `json:"id"`
	SourceID uuid.UUID `json:"sourceId"`
}

func (b *killBed) post(t *testing.T, path, contentType, body string) (created createdRow) {
	t.Helper()
	call := keyedCall{operation: uuid.NewString(), path: path, contentType: contentType, body: body}
	response := call.send(t.Context(), b.server, b.token)
	require.Less(t, response.status, http.StatusMultipleChoices, "%s", response.body)
	require.NoError(t, json.Unmarshal(response.body, &created))
	return created
}

// complete repeats a request until it succeeds, and checks what it has changed.
func (b *killBed) complete(t *testing.T, call *keyedCall) {
	t.Helper()
	var response keyedResponse
	require.Eventually(t, func() bool {
		response = call.send(t.Context(), b.server, b.token)
		return response.status >= http.StatusOK && response.status < http.StatusMultipleChoices
	}, time.Minute, 50*time.Millisecond, call.key())
	require.Equal(t, call.stored(), response.header.Get("Idempotent-Replayed") == "true", call.key())
	for _, query := range call.effects {
		var number int
		require.NoError(t, b.connection.QueryRow(t.Context(), call.with(query)).Scan(&number))
		require.Equal(t, 1, number, "%s: %s", call.key(), query)
	}
	switch call.operation {
	case "createWebhook", "rotateIntegrationSecret":
		require.Equal(t, call.stored(), !strings.Contains(string(response.body), "signingSecret"), "%s: a secret is not stored", call.key())
	case "uploadKnowledge":
		var file string
		require.NoError(t, b.connection.QueryRow(t.Context(), call.with("SELECT workspace_id || '/' || id FROM knowledge_sources WHERE sha256 = sha256('KEY')")).Scan(&file))
		content, err := os.ReadFile(filepath.Join(b.storage, file))
		require.NoError(t, err)
		require.Equal(t, call.key(), string(content))
	case "testIntegration":
		require.Len(t, call.receiver.WaitFor(t, call.pings), call.pings, call.key())
	}
}
