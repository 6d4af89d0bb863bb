package console_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

// actions returns the audit log's actions with a prefix, oldest first.
func actions(t *testing.T, s *apitest.Server, workspace uuid.UUID, prefix string) []string {
	t.Helper()
	rows, err := s.DB.Query(t.Context(), "SELECT action FROM audit_entries WHERE workspace_id = $1 AND action LIKE $2 || '%' ORDER BY id", workspace, prefix)
	require.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var action string
		require.NoError(t, rows.Scan(&action))
		all = append(all, action)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestWebhookLifecycle(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	receiver := apitest.NewReceiver(t, nil)
	space := s.Workspace(t, "acme")
	member(t, s, space)
	p := signedIn(t, s)
	form := "/app/settings/webhooks/new"
	require.Contains(t, p.send(t, form, "/app/settings/webhooks", url.Values{"url": {receiver.URL}}).want(t, http.StatusUnprocessableEntity).Body, "at least one event")
	refused := p.send(t, form, "/app/settings/webhooks", url.Values{"url": {"https://10.0.0.1/"}, "event": {"lead.created"}}).want(t, http.StatusUnprocessableEntity)
	require.Contains(t, refused.Body, "private")
	require.Contains(t, refused.Body, `value="lead.created" checked`)
	created := p.send(t, form, "/app/settings/webhooks", url.Values{"url": {receiver.URL}, "event": {"lead.created"}}).want(t, http.StatusOK)
	secret := created.find(t, plaintextPattern)
	path := created.find(t, `href="(/app/settings/webhooks/[0-9a-f-]{36})"`)
	p.post(t, path+"/test", nil).want(t, http.StatusSeeOther)
	require.Contains(t, p.get(t, path).Body, "test event succeeded: status 200")
	receiver.WaitFor(t, 1)[0].VerifySignatures(t, secret)
	s.Post(t, s.Token(t, space), "/leads", map[string]any{"fields": map[string]string{"name": "Anna"}}).Want(t, http.StatusCreated)
	receiver.WaitFor(t, 2)
	var page pageResponse
	require.Eventually(t, func() bool {
		page = p.get(t, path)
		return strings.Count(page.Body, "SUCCEEDED") == 2
	}, 10*time.Second, 20*time.Millisecond)
	p.post(t, page.find(t, `action="(/app/settings/webhooks/[^"]+/redeliver)"`), nil).want(t, http.StatusSeeOther)
	receiver.WaitFor(t, 3)
	rotation := url.Values{}
	second := p.send(t, path, path+"/rotate-secret", rotation).want(t, http.StatusOK).find(t, plaintextPattern)
	require.NotEqual(t, secret, second)
	p.post(t, path+"/rotate-secret", rotation).want(t, http.StatusSeeOther) // a reload must not rotate again
	p.post(t, path+"/status", url.Values{"status": {"DISABLED"}}).want(t, http.StatusSeeOther)
	require.Contains(t, p.get(t, path).Body, "Enable")
	p.post(t, path+"/status", url.Values{"status": {"CONNECTED"}}).want(t, http.StatusSeeOther)
	p.post(t, path+"/delete", nil).want(t, http.StatusSeeOther)
	p.get(t, path).want(t, http.StatusNotFound)
	require.Equal(t, []string{
		"webhook.created", "webhook.tested", "webhook.redelivered", "webhook.secret_rotated", "webhook.disabled", "webhook.enabled", "webhook.deleted",
	}, actions(t, s, space, "webhook."))
	requireForgotten(t, s, p, secret, second)
}

func TestAFailedTestEventIsShownAsAFailure(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	receiver := apitest.NewReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	created := p.send(t, "/app/settings/webhooks/new", "/app/settings/webhooks", url.Values{"url": {receiver.URL}, "event": {"lead.created"}}).want(t, http.StatusOK)
	path := created.find(t, `href="(/app/settings/webhooks/[0-9a-f-]{36})"`)
	p.post(t, path+"/test", nil).want(t, http.StatusSeeOther)
	require.Contains(t, p.get(t, path).Body, `<div class="notice bad" role="alert"><p>The test event failed: the endpoint returned status 418.</p></div>`)
	require.NotContains(t, p.get(t, path).Body, "The test event failed: ", "it is shown once")
}

func TestAuditLogRecordsTokenChanges(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	key := s.Token(t, space)
	lead := map[string]any{"fields": map[string]string{"name": "Anna"}}
	for range 2 { // the second is a replay and changes nothing
		s.Do(t, apitest.Request{Method: http.MethodPost, Path: "/leads", Token: key, Body: lead, Header: map[string]string{
			"Idempotency-Key": "k", "User-Agent": "=cmd|' /C calc'!A0", "X-Request-Id": "of-the-lead",
		}}).Want(t, http.StatusCreated)
	}
	s.Get(t, key, "/leads").Want(t, http.StatusOK)
	s.Post(t, key, "/knowledge/search", map[string]any{"query": "shoes"}).Want(t, http.StatusOK)
	s.Post(t, key, "/leads", map[string]any{}).Want(t, http.StatusBadRequest)
	s.Post(t, key, "/tags", map[string]any{"name": "vip"}).Want(t, http.StatusCreated)
	p := signedIn(t, s)
	s.Sequence(t)
	exported := p.get(t, "/app/settings/audit.csv?by=TOKEN").want(t, http.StatusOK)
	require.Equal(t, 3, strings.Count(exported.Body, "\n"), "two changes and the header row")
	require.Contains(t, exported.Header.Get("Content-Disposition"), `filename="audit-acme.csv"`)
	rows, err := csv.NewReader(strings.NewReader(exported.Body)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"time", "actor_type", "actor_id", "actor", "action", "target", "ip", "user_agent", "request_id"}, rows[0])
	require.Equal(t, "createTag", rows[1][4])
	require.Equal(t, []string{"TOKEN", t.Name() + " (convo_…" + key[len(key)-4:] + ")", "createLead", "127.0.0.1", "'=cmd|' /C calc'!A0", "of-the-lead"}, []string{
		rows[2][1], rows[2][3], rows[2][4], rows[2][6], rows[2][7], rows[2][8],
	})
	require.Regexp(t, `^/api/v1/leads/[0-9a-f-]{36}$`, rows[2][5])
	page := p.get(t, "/app/settings/audit")
	for _, part := range []string{"Lead created", "Audit log exported", "Sign-in succeeded", "Ola Kowalska", "127.0.0.1"} {
		require.Contains(t, page.Body, part)
	}
	require.NotContains(t, p.get(t, "/app/settings/audit?by=USER").Body, "Lead created")
}

func TestAuditLogIsPaginated(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	p := signedIn(t, s)
	for range 60 {
		p.post(t, "/app/settings/api-tokens/new", nil)
		s.Clock.Advance(time.Millisecond)
		p.get(t, "/app/settings/audit.csv").want(t, http.StatusOK)
	}
	first := p.get(t, "/app/settings/audit")
	require.Equal(t, 50, strings.Count(first.Body, "audit.exported"))
	second := p.get(t, "/app/settings/audit"+first.find(t, `href="(\?by=&amp;before=[^"]+)"`))
	require.Equal(t, 10, strings.Count(second.Body, "audit.exported"))
	require.NotContains(t, second.Body, "before=")
}

func TestTheFormSaysThatThereAreTooManyWebhooks(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	p := signedIn(t, s)
	s.Exec(t, `INSERT INTO integrations (workspace_id, id, type, url, events, status, secret, created_at, updated_at)
		SELECT $1, gen_random_uuid(), 'WEBHOOK', 'https://hooks.example.com', '{lead.created}', 'CONNECTED', '', now(), now() FROM generate_series(1, 100)`, space)
	form := url.Values{"url": {"https://hooks.example.com/mine"}, "event": {"lead.created"}}
	refused := p.send(t, "/app/settings/webhooks/new", "/app/settings/webhooks", form).want(t, http.StatusConflict)
	require.Contains(t, refused.Body, "The workspace has 100 webhooks.")
	require.Contains(t, refused.Body, "https://hooks.example.com/mine")
}
