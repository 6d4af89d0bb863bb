package console_test

import (
	"bytes"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/testing/apitest"
)

const (
	email    = "Ola@example.com"
	password = "correct horse battery"
)

// person is a client with its own cookies, like a browser.
type person struct {
	s      *apitest.Server
	client *http.Client
}

// pageResponse is a response with its body read.
type pageResponse struct {
	Status int
	Header http.Header
	Body   string
}

func newPerson(t *testing.T, s *apitest.Server) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &person{s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func users(s *apitest.Server) *user.Service {
	return &user.Service{DB: s.DB, IDs: s.IDs, Clock: s.Clock, Hasher: user.NewHasher()}
}

// member creates a user of some workspaces.
func member(t *testing.T, s *apitest.Server, workspaces ...uuid.UUID) db.User {
	t.Helper()
	row, err := users(s).Create(t.Context(), user.New{Email: email, Name: "Ola Kowalska", Password: password})
	require.NoError(t, err)
	for _, workspace := range workspaces {
		require.NoError(t, users(s).Join(t.Context(), row.ID, workspace))
	}
	return row
}

// signedIn returns a client that has signed in.
func signedIn(t *testing.T, s *apitest.Server) *person {
	t.Helper()
	p := newPerson(t, s)
	p.post(t, "/app/sign-in", url.Values{"email": {email}, "password": {password}}).want(t, http.StatusSeeOther)
	return p
}

func (p *person) do(t *testing.T, request *http.Request) pageResponse {
	t.Helper()
	response, err := p.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	require.NoError(t, err)
	require.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	if strings.HasPrefix(request.URL.Path, "/app") && response.StatusCode != http.StatusSeeOther {
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"), request.URL.Path)
	}
	require.NotEqual(t, http.StatusInternalServerError, response.StatusCode, p.s.LogText())
	return pageResponse{response.StatusCode, response.Header, body.String()}
}

func (p *person) get(t *testing.T, path string) pageResponse {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.s.Origin+path, nil)
	require.NoError(t, err)
	return p.do(t, request)
}

func (p *person) postRequest(t *testing.T, path string, form url.Values) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.s.Origin+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	return request
}

func (p *person) post(t *testing.T, path string, form url.Values) pageResponse {
	t.Helper()
	return p.do(t, p.postRequest(t, path, form))
}

// send loads the page of a form and submits the form with its one-time token.
func (p *person) send(t *testing.T, page, to string, form url.Values) pageResponse {
	t.Helper()
	shown := p.get(t, page).want(t, http.StatusOK)
	form.Set("form", shown.find(t, `name="form" value="([^"]+)"`))
	return p.post(t, to, form)
}

func (a pageResponse) want(t *testing.T, status int) pageResponse {
	t.Helper()
	require.Equal(t, status, a.Status, a.Body)
	return a
}

// find returns the first capture group of a pattern in the body.
func (a pageResponse) find(t *testing.T, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(a.Body)
	require.NotNil(t, found, "%s in %s", pattern, a.Body)
	return html.UnescapeString(found[1])
}
