package spec_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/openapi"
)

func published(t *testing.T) *spec.Document {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	return document
}

// TestScopesMatchPublishedDocument checks the scopes printed in the published document.
func TestScopesMatchPublishedDocument(t *testing.T) {
	t.Parallel()
	document := published(t)
	for route, scope := range map[string]api.Scope{
		"GET /leads": "leads:read", "POST /leads": "leads:write", "PATCH /leads/{id}/status": "leads:write",
		"GET /conversations": "conversations:read", "GET /conversations/{id}": "conversations:read",
		"POST /conversations/{id}/operator-message": "conversations:write", "POST /conversations/bulk": "conversations:write",
		"GET /agents": "agents:read", "GET /agents/{id}": "agents:read",
		"GET /channels": "", "POST /knowledge/upload": "", "POST /knowledge/crawl": "", "POST /integrations/webhook": "", "GET /integrations": "",
	} {
		method, path, _ := strings.Cut(route, " ")
		operation := document.Find(method, spec.BasePath+strings.NewReplacer("{", ":", "}", "").Replace(path))
		require.NotNil(t, operation, route)
		require.Equal(t, scope, operation.Scope, route)
		require.False(t, operation.Public, route)
		require.Equal(t, route, operation.Route())
	}
	require.Len(t, document.Scopes, 7)
	require.Nil(t, document.Find(http.MethodDelete, spec.BasePath+"/leads"))
}

func TestLimitsMatchPublishedDocument(t *testing.T) {
	t.Parallel()
	document := published(t)
	require.Equal(t, 600, document.RateLimits["default"].Requests)
	require.False(t, document.RateLimits["default"].PerIP)
	require.Equal(t, 60, document.RateLimits["anonymous"].Requests)
	require.True(t, document.RateLimits["anonymous"].PerIP)
	for _, operation := range document.All() {
		switch {
		case operation.Body == nil:
			require.Zero(t, operation.MaxBody)
		case operation.ID == "uploadKnowledge", operation.ID == "uploadWidgetAttachment":
			require.Equal(t, int64(10<<20), operation.MaxBody)
		default:
			require.Equal(t, int64(1<<20), operation.MaxBody)
		}
	}
}

// TestDocumentDescribesEveryOperation checks what generated clients and documentation
// pages need.
func TestDocumentDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	for _, operation := range published(t).All() {
		def := operation.Definition
		require.NotEmpty(t, def.Summary, operation.ID)
		require.NotEmpty(t, def.Description, operation.ID)
		require.Len(t, def.Tags, 1, operation.ID)
		for status, response := range def.Responses.Map() {
			for media, content := range response.Value.Content {
				require.NotEmpty(t, content.Examples, "%s %s %s has no example", operation.ID, status, media)
			}
			for _, header := range []string{"X-Request-Id", "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
				require.Contains(t, response.Value.Headers, header, "%s %s", operation.ID, status)
			}
		}
		if operation.Body != nil && operation.Body.Content["application/json"] != nil {
			require.NotEmpty(t, operation.Body.Content["application/json"].Examples, operation.ID)
		}
	}
}

func TestEveryEventHasBodySchema(t *testing.T) {
	t.Parallel()
	document := published(t)
	names := document.OpenAPI.Components.Schemas["EventType"].Value.Enum
	require.Len(t, names, 19)
	for _, name := range names {
		hook := document.OpenAPI.Webhooks[name.(string)]
		require.NotNil(t, hook, name)
		body := hook.Post.RequestBody.Value.Content["application/json"]
		require.Equal(t, name, spec.Properties(body.Schema.Value)["type"].Value.Const)
	}
	require.Len(t, document.OpenAPI.Webhooks, 19)
}

func TestLoadRejectsIncompleteDocument(t *testing.T) {
	t.Parallel()
	for cut, want := range map[string]string{
		`"x-rate-limit": "default"`: "x-rate-limit names no class",
		`"anonymous": {`:            "class anonymous is missing",
		`"leads:read"`:              "unknown scope", // the first is that of listLeads
	} {
		broken := strings.Replace(string(openapi.JSON), cut, strings.NewReplacer("default", "nonsense", "anonymous", "anon", "leads:read", "leads:eat").Replace(cut), 1)
		require.True(t, broken != string(openapi.JSON), cut) //nolint:testifylint // the message would hold both documents
		_, err := spec.Load([]byte(broken))
		require.ErrorContains(t, err, want)
	}
	_, err := spec.Load([]byte("{"))
	require.Error(t, err)
}
