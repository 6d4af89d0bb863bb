package docs

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
)

func TestFindRanksTitles(t *testing.T) {
	t.Parallel()
	entries := []searchEntry{
		{Title: "Errors", Text: "what a lead is not"}, {Title: "Create a lead", Text: "POST"}, {Title: "Lead scores", Text: "0 to 100"}, {Title: "Agents", Text: "models"},
	}
	titles := func(query string) (all []string) {
		for _, e := range find(entries, query) {
			all = append(all, e.Title)
		}
		return all
	}
	require.Equal(t, []string{"Lead scores", "Create a lead", "Errors"}, titles("LEAD"), "first the title's start, then within a title, then the text")
	require.Equal(t, []string{"Create a lead"}, titles(" lead  create "), "all words must match, in any order")
	require.Empty(t, titles("lead nonsense"))
	require.Empty(t, titles(""))
	require.Empty(t, titles(" \t"))
	many := make([]searchEntry, 100)
	for i := range many {
		many[i] = searchEntry{Title: fmt.Sprint("lead ", i)}
	}
	found := find(many, "lead")
	require.Len(t, found, maxFound)
	require.Equal(t, "lead 0", found[0].Title, "equal ranks keep their order")
}

func TestSearchLimitsQuery(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	NewSite("").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs/search?q="+strings.Repeat("%C5%BC", 60), nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), strings.Repeat("ż", 50))
	require.NotContains(t, w.Body.String(), strings.Repeat("ż", 51))
}

func TestSiteIsReadOnly(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		w := httptest.NewRecorder()
		NewSite("").ServeHTTP(w, httptest.NewRequest(method, "/docs", nil))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	}
}

// TestPagesNegotiate checks compression and conditional requests of one page.
func TestPagesNegotiate(t *testing.T) {
	t.Parallel()
	site := NewSite("")
	get := func(header map[string]string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest(http.MethodGet, "/docs/leads", nil), httptest.NewRecorder()
		for name, value := range header {
			r.Header.Set(name, value)
		}
		site.ServeHTTP(w, r)
		return w
	}
	plain := get(nil)
	etag := plain.Header().Get("ETag")
	require.Contains(t, plain.Body.String(), "</html>")
	require.Empty(t, plain.Header().Get("Content-Encoding"))
	require.Equal(t, "gzip", get(map[string]string{"Accept-Encoding": "br, gzip"}).Header().Get("Content-Encoding"))
	require.Equal(t, plain.Body.String(), get(map[string]string{"Accept-Encoding": "gzip;q=0"}).Body.String())
	for _, match := range []string{etag, "*", `"other", ` + etag, strings.TrimPrefix(etag, "W/")} {
		w := get(map[string]string{"If-None-Match": match})
		require.Equal(t, http.StatusNotModified, w.Code, match)
		require.Empty(t, w.Body.String())
		require.Equal(t, etag, w.Header().Get("ETag"))
		require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		require.Equal(t, plain.Header().Get("Cache-Control"), w.Header().Get("Cache-Control"))
	}
	require.Equal(t, http.StatusOK, get(map[string]string{"If-None-Match": `W/"other"`}).Code)
	require.NotEqual(t, etag, newPage([]byte("other"), "text/html").etag)
}

// TestSamplesNameThisServer: no sample sends a token to another server than the one that
// shows it.
func TestSamplesNameThisServer(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"": "http://127.0.0.1:8080/api/v1", "https://convo.example": "https://convo.example/api/v1"} {
		site := NewSite(public)
		for _, acceptable := range []string{"", "gzip"} {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/docs/leads", nil)
			r.Header.Set("Accept-Encoding", acceptable)
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			page := w.Body.String()
			if acceptable != "" {
				plain, err := unpack(w.Body.Bytes())
				require.NoError(t, err)
				page = string(plain)
			}
			page = html.UnescapeString(regexp.MustCompile(`</?b[^>]*>`).ReplaceAllString(page, ""))
			require.Contains(t, page, `curl "`+want+`/leads`)
			require.Contains(t, page, "baseUrl: '"+want+"'")
			require.Contains(t, page, `requests.get(`+"\n    "+`"`+want+`/leads`)
			require.Contains(t, page, `http.NewRequest("GET", "`+want+`/leads`)
			require.NotContains(t, page, "avelto.pl/api")
			require.NotContains(t, page, unknownOrigin)
		}
	}
	hosted := httptest.NewRecorder()
	NewSite(hostedOrigin).ServeHTTP(hosted, httptest.NewRequest(http.MethodGet, "/docs/leads", nil))
	require.NotContains(t, hosted.Body.String(), "baseUrl:", "the default of the SDK")
}

// TestETagsDependOnTheOrigin: a page for one origin is not taken for that of another.
func TestETagsDependOnTheOrigin(t *testing.T) {
	t.Parallel()
	site := NewSite("")
	etag := func(host string) string {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+host+"/docs/leads", nil))
		return w.Header().Get("ETag")
	}
	first := etag("a.example")
	require.Equal(t, first, etag("a.example"))
	require.NotEqual(t, first, etag("b.example"))
	for i := range maxAddressed {
		site.addressed.pages[strconv.Itoa(i)] = page{}
	}
	etag("c.example")
	require.LessOrEqual(t, len(site.addressed.pages), maxAddressed)
}

func TestTypeScriptLiterals(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"name":"Anna"}`:             `{ name: 'Anna' }`,
		`{"b":1,"a":null,"c":[true]}`: `{ b: 1, a: null, c: [true] }`,
		`{"not-a-name":"x","1":2}`:    `{ 'not-a-name': 'x', '1': 2 }`,
		`"it's \\ \n"`:                `'it\'s \\ \n'`,
		`[]`:                          `[]`,
		`1e3`:                         `1e3`,
	} {
		got, err := object(json.RawMessage(raw), "")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	long, err := object(json.RawMessage(`{"fields":{"name":"Anna Nowak","email":"anna@example.com","phone":"+48 111 222 333"}}`), "")
	require.NoError(t, err)
	require.Equal(t, "{\n  fields: {\n    name: 'Anna Nowak',\n    email: 'anna@example.com',\n    phone: '+48 111 222 333',\n  },\n}", long)
}

func TestCurlQuotesForTheShell(t *testing.T) {
	t.Parallel()
	o := &spec.Operation{Method: http.MethodPost}
	line, err := curl("https://x/api/v1", o, spec.Example{
		Path: "/leads", ContentType: "application/json", Body: json.RawMessage(`{ "name": "it's" }`), Query: []spec.NameValue{{Name: "a", Value: "b c"}},
	})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		`curl -X POST "https://x/api/v1/leads?a=b+c"`, `-H "Authorization: Bearer $AVELTO_TOKEN"`, `-H "Content-Type: application/json"`, `-d '{"name":"it'\''s"}'`,
	}, " \\\n  "), line)
	line, err = curl("https://x", &spec.Operation{Method: http.MethodGet, Public: true}, spec.Example{Path: "/y"})
	require.NoError(t, err)
	require.Equal(t, `curl "https://x/y"`, line, "public operations need no token")
	_, err = curl("https://x", o, spec.Example{Body: json.RawMessage("{")})
	require.Error(t, err)
}

func TestResultNames(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{"leads.list": "leads", "leads.get": "result", "webhooks.listDeliveries": "deliveries"} {
		require.Equal(t, want, resultName(&spec.Operation{Method: http.MethodGet, SDKMethod: method}))
	}
	require.Empty(t, resultName(&spec.Operation{Method: http.MethodDelete, SDKMethod: "leads.delete"}))
}

func TestAnchorsAreValidIDs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "lead-created", anchor("lead.created"))
	require.Equal(t, "leads-read", anchor("leads:read"))
	require.Equal(t, "not-found", anchor("not_found"))
}

func TestCodeIsHighlighted(t *testing.T) {
	t.Parallel()
	for _, language := range append(languages, "json") {
		got, err := highlight(language, `x("a<b", 1) // "`)
		require.NoError(t, err)
		require.Contains(t, string(got), `<b class=s>&#34;a&lt;b&#34;</b>`, language)
	}
	plain, err := highlight("", "<b>")
	require.NoError(t, err)
	require.Equal(t, "&lt;b&gt;", string(plain))
	long, err := highlight("go", "package main\n\nfunc main() {}")
	require.NoError(t, err)
	require.Equal(t, "<b class=k>package</b> main\n\n<b class=k>func</b> main() {}", strings.ReplaceAll(string(long), " </b>", "</b> "))
}
