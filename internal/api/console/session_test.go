package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

// pages holds the routes that require a session.
var pages = []string{
	"GET /app", "GET /app/inbox", "GET /app/inbox/x", "POST /app/inbox/x/close", "GET /app/analytics", "GET /app/settings/api-tokens", "GET /app/settings/api-tokens/new", "POST /app/settings/api-tokens",
	"GET /app/settings/webhooks", "GET /app/settings/webhooks/new", "POST /app/settings/webhooks", "GET /app/settings/members", "GET /app/settings/audit",
	"GET /app/settings/audit.csv", "POST /app/workspace", "POST /app/sign-out", "GET /app/nothing",
}

func TestPagesRequireSignIn(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	p := newPerson(t, s)
	for _, one := range pages {
		method, path, _ := strings.Cut(one, " ")
		request, err := http.NewRequestWithContext(t.Context(), method, s.Origin+path, nil)
		require.NoError(t, err)
		require.Contains(t, p.do(t, request).want(t, http.StatusSeeOther).Header.Get("Location"), "/app/sign-in", one)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := newPerson(t, s)
	in := p.post(t, "/app/sign-in", url.Values{"email": {strings.ToUpper(email)}, "password": {password}, "next": {"/app/settings/audit?by=USER"}}).want(t, http.StatusSeeOther)
	require.Equal(t, "/app/settings/audit?by=USER", in.Header.Get("Location"))
	cookie := in.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/app"} {
		require.Contains(t, cookie, part)
	}
	require.NotContains(t, cookie, "Secure", "the server is reached over HTTP")
	p.get(t, "/app/analytics").want(t, http.StatusOK)
	// Only a hash is stored, so session tokens can't be read from the table.
	value, _, _ := strings.Cut(strings.TrimPrefix(cookie, "convo_session="), ";")
	var stored int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE token = $1", value).Scan(&stored))
	require.Zero(t, stored)
	p.post(t, "/app/sign-out", nil).want(t, http.StatusSeeOther)
	p.get(t, "/app/analytics").want(t, http.StatusSeeOther)
	var sessions int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM sessions").Scan(&sessions))
	require.Zero(t, sessions)
}

func TestCookieIsSecureOverHTTPS(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: apitest.Config{PublicURL: "https://api.example.com"}})
	member(t, s, s.Workspace(t, "acme"))
	in := newPerson(t, s).post(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}}).want(t, http.StatusSeeOther)
	require.Contains(t, in.Header.Get("Set-Cookie"), "Secure")
	require.NotEmpty(t, in.Header.Get("Strict-Transport-Security"))
}

// TestSignInDoesNotRevealAccounts compares the responses to a wrong password and to an
// unknown email address.
func TestSignInDoesNotRevealAccounts(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	ask := func(address string) string {
		a := newPerson(t, s).post(t, "/app/sign-in", url.Values{"email": {address}, "password": {"not the password"}}).want(t, http.StatusUnauthorized)
		return strings.ReplaceAll(a.Body, address, "ADDRESS")
	}
	require.Equal(t, ask(email), ask("nobody@example.com"))
	ask("a\x00b@example.com")
	require.Eventually(t, func() bool {
		var refused int
		require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM audit_entries WHERE workspace_id = $1 AND action = 'sign_in.refused'", space).Scan(&refused))
		return refused == 1
	}, 10*time.Second, 10*time.Millisecond, "the attempt is in the audit log of the account's workspace")
}

func TestSignInIsRateLimited(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{RateLimits: true, Config: apitest.Config{TrustedProxies: []string{"127.0.0.0/8"}}})
	member(t, s, s.Workspace(t, "acme"))
	try := func(from, address, with string) pageResponse {
		p := newPerson(t, s)
		request := p.postRequest(t, "/app/sign-in", url.Values{"email": {address}, "password": {with}})
		request.Header.Set("X-Forwarded-For", from)
		return p.do(t, request)
	}
	for i := range 5 {
		try(fmt.Sprintf("192.0.2.%d", i), email, "wrong").want(t, http.StatusUnauthorized)
	}
	began := time.Now()
	try("192.0.2.99", email, password).want(t, http.StatusSeeOther) // others cannot lock the account
	require.GreaterOrEqual(t, time.Since(began), 2*time.Second, "but they delay its sign-ins")
	for i := range 5 {
		try("198.51.100.7", fmt.Sprintf("nobody%d@example.com", i), "wrong").want(t, http.StatusUnauthorized)
	}
	refused := try("198.51.100.7", "another@example.com", "wrong").want(t, http.StatusTooManyRequests)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	for range 100 { // rejected attempts do not count against an account
		try("198.51.100.7", "victim@example.com", "wrong").want(t, http.StatusTooManyRequests)
	}
	began = time.Now()
	try("192.0.2.77", "victim@example.com", "wrong").want(t, http.StatusUnauthorized)
	require.Less(t, time.Since(began), 2*time.Second)
	s.Clock.Advance(time.Minute)
	try("192.0.2.99", email, password).want(t, http.StatusSeeOther)
}

func TestCrossSiteFormsAreRejected(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"} {
		request := p.postRequest(t, "/app/settings/api-tokens", url.Values{"name": {"x"}})
		request.Header.Del("Sec-Fetch-Site")
		request.Header.Set(name, value)
		p.do(t, request).want(t, http.StatusForbidden)
	}
	var tokens int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM api_tokens").Scan(&tokens))
	require.Zero(t, tokens)
}

func TestSessionEndsWhenPasswordOrMembershipChanges(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	row := member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	p.get(t, "/app/analytics").want(t, http.StatusOK)
	s.Clock.Advance(time.Second)
	require.NoError(t, users(s).SetPassword(t.Context(), row.ID, "another good password"))
	p.get(t, "/app/analytics").want(t, http.StatusSeeOther)
	require.NoError(t, users(s).SetPassword(t.Context(), row.ID, password))
	p = signedIn(t, s)
	s.Exec(t, "DELETE FROM memberships")
	p.get(t, "/app/analytics").want(t, http.StatusForbidden)
}

// TestSignInIsNoOpenRedirect tries to redirect to another site after signing in.
func TestSignInIsNoOpenRedirect(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	for _, next := range []string{"https://evil.example.com/app/", "//evil.example.com/app/x", `/\evil.example.com`, "/docs", "javascript:alert(1)", "/app/\r\nX: y"} {
		in := newPerson(t, s).post(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}, "next": {next}}).want(t, http.StatusSeeOther)
		require.Equal(t, "/app/inbox", in.Header.Get("Location"), next)
	}
}

func TestSwitchWorkspace(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	acme, best, other := s.Workspace(t, "acme"), s.Workspace(t, "best"), s.Workspace(t, "other")
	member(t, s, acme, best)
	p := signedIn(t, s)
	current := func() string {
		return p.get(t, "/app/settings/api-tokens").find(t, `<option value="[^"]+" selected>\s*([a-z]+)`)
	}
	require.Equal(t, "acme", current())
	p.post(t, "/app/workspace", url.Values{"workspace": {best.String()}}).want(t, http.StatusSeeOther)
	require.Equal(t, "best", current())
	p.post(t, "/app/workspace", url.Values{"workspace": {other.String()}}).want(t, http.StatusNotFound)
	require.Equal(t, "best", current())
	require.NotContains(t, p.get(t, "/app/settings/api-tokens").Body, other.String())
	p.post(t, "/app/sign-out", nil).want(t, http.StatusSeeOther)
	p.post(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}}).want(t, http.StatusSeeOther)
	require.Equal(t, "best", current(), "the workspace that was opened last")
	s.Exec(t, "DELETE FROM memberships WHERE workspace_id = $1", best)
	require.Contains(t, p.get(t, "/app/settings/api-tokens").Body, "acme", "but not without a membership")
}

func TestTheFirstSignInEntersTheOldestWorkspace(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	zebra := s.Workspace(t, "zebra")
	s.Clock.Advance(time.Hour)
	member(t, s, s.Workspace(t, "acme"), zebra)
	require.Equal(t, "zebra", signedIn(t, s).get(t, "/app/settings/api-tokens").find(t, `<option value="[^"]+" selected>\s*([a-z]+)`))
}

func TestMalformedFormsReturn4xx(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	p.post(t, "/app/settings/api-tokens", url.Values{"name": {strings.Repeat("x", 100_000)}}).want(t, http.StatusRequestEntityTooLarge)
	request := p.postRequest(t, "/app/settings/api-tokens", nil)
	request.URL.RawQuery = "%zz"
	p.do(t, request).want(t, http.StatusBadRequest)
	p.get(t, "/app/settings/audit?before=x").want(t, http.StatusBadRequest)
	p.get(t, "/app/settings/audit?by=x").want(t, http.StatusBadRequest)
	p.get(t, "/app/settings/webhooks?cursor=x").want(t, http.StatusBadRequest)
	p.get(t, "/app/settings/webhooks/x").want(t, http.StatusNotFound)
	require.NoError(t, s.DB.Ping(t.Context()))
}
