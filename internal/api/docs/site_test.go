package docs_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/testing/apitest"
)

var (
	inner    = regexp.MustCompile(`\sid="([^"]+)"`)
	resource = regexp.MustCompile(`<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"`)
	inlined  = regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<style|<script>|javascript:`)
)

// TestPagesAreValid checks all pages: links work, nothing is loaded from other origins,
// nothing is inline, and no page is too large.
func TestPagesAreValid(t *testing.T) {
	t.Parallel()
	s := listen(t)
	pages := map[string]string{}
	for _, path := range pagePaths(t, s) {
		header, page := fetch(t, s.Origin+path)
		pages[path] = page
		policy := header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "unsafe")
		require.Empty(t, inlined.FindString(page), path)
		require.Less(t, weight(t, s, path, page), 100_000, path)
	}
	for path, page := range pages {
		for _, found := range link.FindAllStringSubmatch(page, -1) {
			requireLinkWorks(t, s, pages, path, html.UnescapeString(found[1]))
		}
	}
}

// weight returns the compressed size of a page and the assets it loads, excluding Swagger
// UI.
func weight(t *testing.T, s *apitest.Server, path, page string) int {
	t.Helper()
	sum := len(web.Pack([]byte(page)))
	for _, found := range resource.FindAllStringSubmatch(page, -1) {
		url := html.UnescapeString(found[1])
		require.True(t, strings.HasPrefix(url, "/"), "%s loads %s", path, url)
		if !strings.HasPrefix(url, "/docs/explorer/") {
			_, content := fetch(t, s.Origin+url)
			sum += len(web.Pack([]byte(content)))
		}
	}
	return sum
}

func requireLinkWorks(t *testing.T, s *apitest.Server, pages map[string]string, from, to string) {
	t.Helper()
	path, anchor, _ := strings.Cut(to, "#")
	if path == "" {
		path = from
	}
	switch {
	case strings.HasPrefix(path, "/app"):
	case pages[path] != "":
		if anchor != "" {
			ids := inner.FindAllStringSubmatch(pages[path], -1)
			require.Contains(t, fmt.Sprint(ids), " "+anchor+"]", "%s links to %s", from, to)
		}
	case strings.HasPrefix(path, "/"):
		fetch(t, s.Origin+path)
	default:
		require.True(t, strings.HasPrefix(path, "https://"), "%s links to %s", from, to)
	}
}

func TestSiteCoversTheDocument(t *testing.T) {
	t.Parallel()
	s := listen(t)
	for _, o := range s.Document.Operations {
		_, page := fetch(t, s.Origin+"/docs/"+strings.ToLower(o.Definition.Tags[0]))
		code := strings.Join(sampleCode(page, "typescript"), "\n")
		require.Contains(t, code, "client."+o.SDKMethod+"(", o.ID)
		for _, part := range []string{
			`id="` + o.ID + `"`, spec.BasePath + o.Path + "</code>", html.EscapeString(o.Definition.Summary),
		} {
			require.Contains(t, strings.ReplaceAll(page, "&#39;", "'"), strings.ReplaceAll(part, "&#39;", "'"), o.ID)
		}
		for _, p := range o.Parameters {
			require.Contains(t, page, "<code>"+p.Name+"</code>", o.ID)
		}
	}
	for code, kind := range s.Document.Errors {
		_, page := fetch(t, s.Origin+"/docs/errors/"+string(code))
		require.Contains(t, page, strconv.Itoa(kind.Status))
	}
	_, events := fetch(t, s.Origin+"/docs/events")
	for name := range s.Document.Events {
		require.Contains(t, events, "<code>"+string(name)+"</code>")
	}
	_, scopes := fetch(t, s.Origin+"/docs/scopes")
	for _, scope := range s.Document.Scopes {
		require.Contains(t, scopes, html.EscapeString(s.Document.ScopeDescriptions[scope]))
	}
}

// TestProblemTypeIsAPage opens the URL in the type property of an error response.
func TestProblemTypeIsAPage(t *testing.T) {
	t.Parallel()
	s := listen(t)
	problem := s.Get(t, "", "/leads").Problem(t, http.StatusUnauthorized, "unauthenticated")
	_, page := fetch(t, problem.Type)
	require.Contains(t, page, "unauthenticated")
}

func TestPagesSupportETags(t *testing.T) {
	t.Parallel()
	s := listen(t)
	header, _ := fetch(t, s.Origin+"/docs/leads")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Origin+"/docs/leads", nil)
	require.NoError(t, err)
	request.Header.Set("If-None-Match", header.Get("ETag"))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusNotModified, response.StatusCode)
	require.NotEmpty(t, header.Get("ETag"))
}

func TestSearchFindsOperations(t *testing.T) {
	t.Parallel()
	s := listen(t)
	_, found := fetch(t, s.Origin+"/docs/search?q=update+LEAD")
	require.Contains(t, found, `href="/docs/leads#updateLead"`)
	require.NotContains(t, found, `href="/docs/agents#listAgents"`)
	_, none := fetch(t, s.Origin+"/docs/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
	require.Contains(t, none, "No results")
	require.NotContains(t, none, "<script>alert")
	_, index := fetch(t, s.Origin+"/docs/search.json")
	var entries []struct {
		URL string `json:"url"`
	}
	require.NoError(t, json.Unmarshal([]byte(index), &entries))
	require.Greater(t, len(entries), len(s.Document.Operations)+len(s.Document.Errors))
}

// TestSearchFindsGuidesStatusesAndSynonyms: people search for what they see, such as a
// status, and in their own words.
func TestSearchFindsGuidesStatusesAndSynonyms(t *testing.T) {
	t.Parallel()
	s := listen(t)
	for query, want := range map[string]string{
		"signature": "/docs/receiving-webhooks", "verify webhook": "/docs/receiving-webhooks", "python": "/docs/receiving-webhooks", "hmac": "/docs/receiving-webhooks",
		"429": "/docs/errors/rate_limited", "401": "/docs/errors/unauthenticated", "retry": "/docs/idempotency", "throttle": "/docs/rate-limits",
		"permission": "/docs/errors/missing_scope",
	} {
		_, found := fetch(t, s.Origin+"/docs/search?q="+url.QueryEscape(query))
		require.Contains(t, found, `href="`+want, query)
	}
}

func TestUnknownPagesReturn404(t *testing.T) {
	t.Parallel()
	s := listen(t)
	for path, want := range map[string]int{"/docs/none": http.StatusNotFound, "/docs/404": http.StatusNotFound, "/assets/none.css": http.StatusNotFound} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Origin+path, nil)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode, path)
	}
}
