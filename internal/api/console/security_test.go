package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestEveryFormRejectsCrossSiteRequests submits every form from another site, with the
// cookies of a signed-in user, and checks that nothing changed.
func TestEveryFormRejectsCrossSiteRequests(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	s.TokenWith(t, token.NewToken{WorkspaceID: space, Name: "kept", Scopes: s.Document.Scopes})
	rows, err := s.Tokens.List(t.Context(), space)
	require.NoError(t, err)
	tokenID, hook := rows[0].APIToken.ID.String(), uuid.NewString()
	p := signedIn(t, s)
	state := func() (text string) {
		require.NoError(t, s.DB.QueryRow(t.Context(), `SELECT concat_ws('|',
			(SELECT jsonb_agg(to_jsonb(r) - 'last_used_at') FROM api_tokens AS r), (SELECT count(*) FROM sessions), (SELECT count(*) FROM integrations),
			(SELECT count(*) FROM audit_entries))`).Scan(&text))
		return text
	}
	before := state()
	for _, path := range []string{
		"/app/sign-in", "/app/sign-out", "/app/workspace", "/app/settings/api-tokens",
		"/app/settings/api-tokens/" + tokenID + "/rotate", "/app/settings/api-tokens/" + tokenID + "/revoke",
		"/app/settings/members/" + hook + "/remove",
		"/app/settings/webhooks", "/app/settings/webhooks/" + hook + "/test", "/app/settings/webhooks/" + hook + "/status",
		"/app/settings/webhooks/" + hook + "/rotate-secret", "/app/settings/webhooks/" + hook + "/delete",
		"/app/settings/webhooks/" + hook + "/deliveries/" + uuid.NewString() + "/redeliver",
	} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"} {
			form := url.Values{"email": {email}, "password": {password}, "workspace": {space.String()}, "status": {"DISABLED"}, "name": {"x"}, "scope": {"leads:read"}}
			request := p.postRequest(t, path, form)
			request.Header.Del("Sec-Fetch-Site")
			request.Header.Set(name, value)
			blocked := p.do(t, request).want(t, http.StatusForbidden)
			require.Contains(t, blocked.Body, "submitted from another site", path)
		}
	}
	require.Equal(t, before, state())
	p.get(t, "/app/analytics").want(t, http.StatusOK) // still signed in
}

// TestFormsWorkBehindTLSProxy: the proxy's origin is the public URL.
func TestFormsWorkBehindTLSProxy(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: apitest.Config{PublicURL: "https://api.example.com"}})
	member(t, s, s.Workspace(t, "acme"))
	p := newPerson(t, s)
	request := p.postRequest(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}})
	request.Header.Del("Sec-Fetch-Site")
	request.Header.Set("Origin", "https://api.example.com")
	p.do(t, request).want(t, http.StatusSeeOther)
}

// TestSessionsExpire ages the stored session instead of waiting.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	p.get(t, "/app/analytics").want(t, http.StatusOK)
	var left float64
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT extract(epoch FROM expiry - now()) FROM sessions").Scan(&left))
	require.InDelta(t, (4 * time.Hour).Seconds(), left, 60, "4 hours without activity end a session")
	s.Exec(t, "UPDATE sessions SET expiry = now() - interval '1 second'")
	expired := p.get(t, "/app/settings/audit?by=USER").want(t, http.StatusSeeOther)
	require.Equal(t, "/app/sign-in?next="+url.QueryEscape("/app/settings/audit?by=USER"), expired.Header.Get("Location"))
}

// TestSignInRenewsTheSession: a session ID that an attacker planted before the sign-in
// must not become that of a user.
func TestSignInRenewsTheSession(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	cookie := func() string {
		at, err := url.Parse(s.Origin + "/app/")
		require.NoError(t, err)
		return p.client.Jar.Cookies(at)[0].Value
	}
	first := cookie()
	p.post(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}}).want(t, http.StatusSeeOther)
	require.NotEqual(t, first, cookie())
	stolen := newPerson(t, s)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Origin+"/app/analytics", nil)
	require.NoError(t, err)
	request.AddCookie(&http.Cookie{Name: "convo_session", Value: first})
	stolen.do(t, request).want(t, http.StatusSeeOther)
}

// TestOpenFormsAreLimited: a session must not grow with each form that is opened.
func TestOpenFormsAreLimited(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	open := func() string {
		return p.get(t, "/app/settings/api-tokens/new").want(t, http.StatusOK).find(t, `name="form" value="([^"]+)"`)
	}
	oldest := open()
	newest := ""
	for range 20 {
		newest = open()
	}
	create := func(form string) int {
		p.post(t, "/app/settings/api-tokens", url.Values{"form": {form}, "name": {"x"}, "scope": {"leads:read"}})
		var tokens int
		require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM api_tokens").Scan(&tokens))
		return tokens
	}
	require.Zero(t, create(oldest), "the 21st form closes the oldest")
	require.Equal(t, 1, create(newest))
	require.Equal(t, 1, create(newest), "a form is submitted once")
	require.Equal(t, 1, create(strings.ToLower(newest)))
}
