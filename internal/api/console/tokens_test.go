package console_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/testing/apitest"
)

const plaintextPattern = `data-secret>([a-z_0-9]+)<`

func TestTokenLifecycle(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	p := signedIn(t, s)
	require.Contains(t, p.get(t, "/app/settings/api-tokens").Body, "No tokens yet")
	created := p.send(t, "/app/settings/api-tokens/new", "/app/settings/api-tokens", url.Values{"name": {"CRM <sync>"}, "days": {"30"}, "scope": {"leads:read"}}).want(t, http.StatusOK)
	plaintext := created.find(t, plaintextPattern)
	s.Get(t, plaintext, "/leads").Want(t, http.StatusOK)
	s.Get(t, plaintext, "/agents").Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	list := p.get(t, "/app/settings/api-tokens")
	for _, part := range []string{"CRM &lt;sync&gt;", "convo_…" + plaintext[len(plaintext)-4:], "Ola Kowalska", "30 May 2026", "leads:read"} {
		require.Contains(t, list.Body, part)
	}
	tokenID := list.find(t, `api-tokens/([0-9a-f-]{36})/rotate`)
	rotated := p.send(t, "/app/settings/api-tokens/"+tokenID+"/rotate", "/app/settings/api-tokens/"+tokenID+"/rotate", url.Values{"overlapHours": {"24"}}).want(t, http.StatusOK)
	second := rotated.find(t, plaintextPattern)
	require.NotEqual(t, plaintext, second)
	s.Get(t, plaintext, "/leads").Want(t, http.StatusOK)
	s.Get(t, second, "/leads").Want(t, http.StatusOK)
	s.Clock.Advance(25 * time.Hour)
	s.Get(t, plaintext, "/leads").Want(t, http.StatusUnauthorized)
	p = signedIn(t, s)
	secondID := p.get(t, "/app/settings/api-tokens").find(t, `api-tokens/([0-9a-f-]{36})/revoke`)
	require.Contains(t, p.get(t, "/app/settings/api-tokens/"+secondID+"/revoke").want(t, http.StatusOK).Body, "can’t be undone")
	s.Get(t, second, "/leads").Want(t, http.StatusOK)
	p.post(t, "/app/settings/api-tokens/"+secondID+"/revoke", nil).want(t, http.StatusSeeOther)
	require.Eventually(t, func() bool { return s.Get(t, second, "/leads").Status == http.StatusUnauthorized }, 5*time.Second, 5*time.Millisecond)
	list = p.get(t, "/app/settings/api-tokens")
	require.Contains(t, list.Body, "” revoked.")
	require.NotContains(t, p.get(t, "/app/settings/api-tokens").Body, "” revoked.", "shown once")
	p.post(t, "/app/settings/api-tokens/"+secondID+"/revoke", nil).want(t, http.StatusNotFound)
	p.get(t, "/app/settings/api-tokens/"+tokenID+"/rotate").want(t, http.StatusNotFound)
	requireForgotten(t, s, p, plaintext, second)
	require.Equal(t, []string{"api_token.created", "api_token.rotated", "api_token.revoked"}, actions(t, s, space, "api_token."))
}

// requireForgotten checks that plaintexts are stored or shown nowhere.
func requireForgotten(t *testing.T, s *apitest.Server, p *person, plaintexts ...string) {
	t.Helper()
	for _, plaintext := range plaintexts {
		for _, path := range []string{"/app/settings/api-tokens", "/app/settings/audit", "/app/settings/audit.csv"} {
			require.NotContains(t, p.get(t, path).Body, plaintext, path)
		}
		require.NotContains(t, s.LogText(), plaintext)
		var found int
		require.NoError(t, s.DB.QueryRow(t.Context(), `SELECT
			(SELECT count(*) FROM api_tokens AS r WHERE r::text LIKE '%' || $1 || '%') +
			(SELECT count(*) FROM audit_entries AS r WHERE r::text LIKE '%' || $1 || '%') +
			(SELECT count(*) FROM sessions WHERE position(convert_to($1, 'UTF8') IN data) > 0)`, plaintext).Scan(&found))
		require.Zero(t, found)
	}
}

func TestFormIsSubmittedOnce(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	p := signedIn(t, s)
	form := url.Values{"name": {"once"}, "scope": {"leads:read"}}
	p.send(t, "/app/settings/api-tokens/new", "/app/settings/api-tokens", form).want(t, http.StatusOK)
	p.post(t, "/app/settings/api-tokens", form).want(t, http.StatusSeeOther)
	rows, err := s.Tokens.List(t.Context(), space)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Nil(t, rows[0].APIToken.ExpiresAt)
}

func TestTokenFormExplainsErrors(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	for want, form := range map[string]url.Values{
		"1 to 100 characters": {"name": {"  "}}, "Unknown scope": {"name": {"x"}, "scope": {"leads:eat"}},
		"3650 days": {"name": {"x"}, "days": {"-1"}},
	} {
		form.Add("scope", "agents:read")
		refused := p.send(t, "/app/settings/api-tokens/new", "/app/settings/api-tokens", form).want(t, http.StatusUnprocessableEntity)
		require.Contains(t, refused.Body, want)
		require.Regexp(t, `value="agents:read" checked`, refused.Body, "selected scopes stay selected")
	}
}

// TestOtherWorkspacesReturn404 requests every route that has an ID.
func TestOtherWorkspacesReturn404(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	mine, theirs := s.Workspace(t, "acme"), s.Workspace(t, "other")
	member(t, s, mine)
	plaintext, row, err := s.Tokens.Create(t.Context(), s.DB, token.NewToken{WorkspaceID: theirs, Name: "theirs", Scopes: s.Document.Scopes})
	require.NoError(t, err)
	hook := apitest.Decode[api.WebhookCreated](t, s.Post(t, plaintext, "/integrations/webhook",
		map[string]any{"type": "WEBHOOK", "url": "https://hooks.example.com/x", "events": []string{"lead.created"}}).Want(t, http.StatusCreated))
	p := signedIn(t, s)
	for _, path := range []string{"/app/settings/api-tokens/" + row.ID.String() + "/rotate", "/app/settings/api-tokens/" + row.ID.String() + "/revoke", "/app/settings/webhooks/" + hook.ID.String()} {
		p.get(t, path).want(t, http.StatusNotFound)
	}
	p.send(t, "/app/settings/api-tokens/new", "/app/settings/api-tokens/"+row.ID.String()+"/rotate", url.Values{"overlapHours": {"0"}}).want(t, http.StatusNotFound)
	p.post(t, "/app/settings/api-tokens/"+row.ID.String()+"/revoke", nil).want(t, http.StatusNotFound)
	for _, what := range []string{"test", "status", "rotate-secret", "delete", "deliveries/" + row.ID.String() + "/redeliver"} {
		p.post(t, "/app/settings/webhooks/"+hook.ID.String()+"/"+what, nil).want(t, http.StatusNotFound)
	}
	require.NotContains(t, p.get(t, "/app/settings/webhooks").Body, "hooks.example.com")
	require.NotContains(t, p.get(t, "/app/settings/api-tokens").Body, "theirs")
	s.Get(t, plaintext, "/integrations/"+hook.ID.String()).Want(t, http.StatusOK)
	require.Empty(t, actions(t, s, mine, "webhook."))
}
