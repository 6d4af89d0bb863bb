package spec_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/openapi"
)

// object is a JSON object. The tests of this file read the document as plain JSON, to
// compare it with what the package derives from it.
type object = map[string]any

func raw(t *testing.T) object {
	t.Helper()
	var document object
	require.NoError(t, json.Unmarshal(openapi.JSON, &document))
	return document
}

// at returns the value at a path of property names, or nil.
func at(value any, path ...string) any {
	for _, name := range path {
		in, _ := value.(object)
		value = in[name]
	}
	return value
}

// resolve follows a $ref.
func resolve(t *testing.T, document object, value any) object {
	t.Helper()
	in, ok := value.(object)
	require.True(t, ok)
	if ref, ok := in["$ref"].(string); ok {
		return resolve(t, document, at(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	return in
}

// eachOperation calls fn with the JSON of each operation and what was derived from it.
func eachOperation(t *testing.T, fn func(defined object, derived *spec.Operation)) {
	t.Helper()
	document, count := published(t), 0
	for path, item := range raw(t)["paths"].(object) {
		for method, defined := range item.(object) {
			if method == "parameters" {
				continue
			}
			echoPath := spec.BasePath + strings.NewReplacer("{", ":", "}", "").Replace(path)
			derived := document.Find(strings.ToUpper(method), echoPath)
			require.NotNil(t, derived, "%s %s", method, path)
			require.Equal(t, path, derived.Path)
			require.Equal(t, strings.ToUpper(method)+" "+path, derived.Route())
			fn(defined.(object), derived)
			count++
		}
	}
	require.Len(t, document.All(), count)
	require.Greater(t, count, 30)
}

func TestOperationsMatchRawDocument(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(defined object, derived *spec.Operation) {
		id := defined["operationId"].(string)
		require.Equal(t, id, derived.ID)
		require.Equal(t, defined["x-rate-limit"], derived.RateClass, id)
		require.Equal(t, derived.Widget, slices.Contains(defined["tags"].([]any), any("Widget")), id)
		if !derived.Widget {
			require.Equal(t, defined["x-sdk-method"], derived.SDKMethod, id)
		}
		readOnly, _ := defined["x-read-only"].(bool)
		require.Equal(t, readOnly, derived.ReadOnly, id)
		require.Equal(t, derived.Method != http.MethodGet && !readOnly, derived.Writes(), id)
	})
}

func TestSecurityMatchesRawDocument(t *testing.T) {
	t.Parallel()
	public := 0
	eachOperation(t, func(defined object, derived *spec.Operation) {
		security := defined["security"].([]any)
		require.Equal(t, len(security) == 0, derived.Public, derived.ID)
		if derived.Public {
			public++
			require.Empty(t, derived.Scope, derived.ID)
			return
		}
		if derived.Widget {
			require.Equal(t, []any{object{"widgetToken": []any{}}}, security, derived.ID)
			return
		}
		var scope api.Scope
		if scopes := at(security[0], "bearerAuth").([]any); len(scopes) > 0 {
			scope = api.Scope(scopes[0].(string))
		}
		require.Equal(t, scope, derived.Scope, derived.ID)
		if scope != "" && derived.ID != "reportOperatorTyping" { // stores nothing, but the contact sees it
			require.Equal(t, derived.Writes(), strings.HasSuffix(string(scope), ":write"), "%s: reading needs a read scope, writing a write scope", derived.ID)
		}
	})
	require.Equal(t, 3, public, "only the document, the Postman collection and the session of a visitor need no token")
}

func TestBodyLimitsMatchRawDocument(t *testing.T) {
	t.Parallel()
	document := raw(t)
	eachOperation(t, func(defined object, derived *spec.Operation) {
		if defined["requestBody"] == nil {
			require.Zero(t, derived.MaxBody, derived.ID)
			require.Nil(t, derived.Body, derived.ID)
			return
		}
		want := int64(1 << 20)
		if size, ok := resolve(t, document, defined["requestBody"])["x-max-body-bytes"].(float64); ok {
			want = int64(size)
		}
		require.Equal(t, want, derived.MaxBody, derived.ID)
		require.NotNil(t, derived.Body, derived.ID)
	})
}

func TestParametersMatchRawDocument(t *testing.T) {
	t.Parallel()
	document := raw(t)
	eachOperation(t, func(defined object, derived *spec.Operation) {
		var want, got []string
		parameters, _ := defined["parameters"].([]any)
		for _, p := range parameters {
			resolved := resolve(t, document, p)
			want = append(want, resolved["in"].(string)+" "+resolved["name"].(string))
		}
		for _, p := range derived.Parameters {
			got = append(got, p.In+" "+p.Name)
		}
		require.Equal(t, want, got, derived.ID)
		require.Equal(t, slices.Contains(want, "header Idempotency-Key"), derived.Idempotent, derived.ID)
		require.Equal(t, derived.Idempotent, derived.Method == http.MethodPost && !derived.ReadOnly && !derived.Widget, derived.ID)
	})
}

// TestSecretsAreShownOnce checks which operations return a secret that a replay omits.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	once := map[string][]string{}
	for _, o := range published(t).Operations {
		if len(o.ShownOnce) > 0 {
			once[o.ID] = o.ShownOnce
		}
	}
	require.Equal(t, map[string][]string{"createWebhook": {"signingSecret", "standardWebhooksSecret"}, "rotateIntegrationSecret": {"signingSecret", "standardWebhooksSecret"}}, once)
}

func TestOperationsAreInDocumentOrder(t *testing.T) {
	t.Parallel()
	var top struct {
		Paths json.RawMessage `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(openapi.JSON, &top))
	text, last := string(top.Paths), -1
	for _, o := range published(t).Operations {
		position := strings.Index(text, `"`+o.Path+`": {`)
		require.GreaterOrEqual(t, position, last, o.ID)
		last = position
	}
}

func TestRateLimitsMatchRawDocument(t *testing.T) {
	t.Parallel()
	document := published(t)
	classes := raw(t)["x-rate-limits"].(object)
	require.Len(t, document.RateLimits, len(classes))
	for name, class := range classes {
		got := document.RateLimits[name]
		require.Equal(t, name, got.Name)
		require.InDelta(t, at(class, "requests"), got.Requests, 0, name)
		require.InDelta(t, at(class, "windowSeconds"), got.Window.Seconds(), 0, name)
		require.Equal(t, at(class, "scope") == "ip", got.PerIP, name)
		require.Equal(t, at(class, "scope") == "session", got.PerSession, name)
	}
}

func TestErrorsMatchRawDocument(t *testing.T) {
	t.Parallel()
	document := published(t)
	schema := at(raw(t), "components", "schemas", "ErrorCode")
	codes := at(schema, "enum").([]any)
	require.Len(t, document.Errors, len(codes))
	for _, code := range codes {
		got := document.Errors[api.ErrorCode(code.(string))]
		require.InDelta(t, at(schema, "x-error-codes", code.(string), "status"), got.Status, 0, code)
		require.Equal(t, at(schema, "x-error-codes", code.(string), "title"), got.Title, code)
		require.True(t, got.Status >= 400 && got.Status < 600, code)
	}
}

func TestEventsMatchRawDocument(t *testing.T) {
	t.Parallel()
	document := published(t)
	hooks := raw(t)["webhooks"].(object)
	require.Len(t, document.Events, len(hooks))
	for name, hook := range hooks {
		scope, _ := at(hook, "post", "x-required-scope").(string)
		got, known := document.Events[api.EventType(name)]
		require.True(t, known, name)
		require.Equal(t, api.Scope(scope), got, name)
		switch kind, _, _ := strings.Cut(name, "."); kind {
		case "lead":
			require.Equal(t, api.ScopeLeadsRead, got, name)
		case "conversation", "message":
			require.Equal(t, api.ScopeConversationsRead, got, name)
		}
	}
}

func TestLiteralPathsAreShadowed(t *testing.T) {
	t.Parallel()
	document := published(t)
	get := document.Find(http.MethodGet, spec.BasePath+"/conversations/:id")
	require.Equal(t, map[string]string{spec.BasePath + "/conversations/bulk": "OPTIONS, POST"}, get.Shadowed)
	for _, o := range document.Operations {
		for path := range o.Shadowed {
			require.NotContains(t, path, "{", o.ID)
			require.Contains(t, o.Path, "{", o.ID)
			require.Equal(t, strings.Count(spec.BasePath+o.Path, "/"), strings.Count(path, "/"), o.ID)
		}
	}
}

func TestExamplesAreRequests(t *testing.T) {
	t.Parallel()
	document := published(t)
	examples, err := document.Examples()
	require.NoError(t, err)
	require.Len(t, examples, len(document.Operations))
	for _, o := range document.Operations {
		e := examples[o.ID]
		require.NotContains(t, e.Target(), "{", o.ID)
		for _, h := range e.Header {
			require.NotEqual(t, "Idempotency-Key", h.Name, "%s: the SDK sends one, and a sample must be repeatable", o.ID)
		}
		switch {
		case o.Body == nil:
			require.Empty(t, e.ContentType, o.ID)
			require.Empty(t, e.Body, o.ID)
		case e.File != "":
			require.Empty(t, e.Body, o.ID)
			require.NotNil(t, o.Body.Content[e.ContentType], o.ID)
		default:
			require.True(t, json.Valid(e.Body), o.ID)
			require.Contains(t, string(openapi.JSON), string(e.Body), "%s: exactly as in the document", o.ID)
		}
	}
	require.Equal(t, "/knowledge/upload", examples["uploadKnowledge"].Target())
	require.Equal(t, "handbook.pdf", examples["uploadKnowledge"].File)
}

func TestTargetEscapesQuery(t *testing.T) {
	t.Parallel()
	e := spec.Example{Path: "/x", Query: []spec.NameValue{{Name: "a", Value: "b&c=d"}, {Name: "e", Value: "2026-04-30T12:00:00+02:00"}}}
	require.Equal(t, "/x?a=b%26c%3Dd&e=2026-04-30T12%3A00%3A00%2B02%3A00", e.Target())
	require.Equal(t, "/x", spec.Example{Path: "/x"}.Target())
}

func TestPropertiesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	properties, err := spec.ParseObject(json.RawMessage(` {"z":1,"a":{"b":[]},"":null} `))
	require.NoError(t, err)
	var names []string
	for _, p := range properties {
		names = append(names, p.Name+"="+string(p.Value))
	}
	require.Equal(t, []string{"z=1", `a={"b":[]}`, "=null"}, names)
	properties, err = spec.ParseObject(nil)
	require.NoError(t, err)
	require.Empty(t, properties)
	for _, text := range []string{"[]", `"x"`, "1", `{"a"`, `{"a":`, `{"a":1,"b"`, "{"} {
		_, err := spec.ParseObject(json.RawMessage(text))
		if text == "{" {
			continue // More reports no further property
		}
		require.Error(t, err, text)
	}
}

// minimal returns the smallest document that Load accepts.
func minimal(t *testing.T) object {
	t.Helper()
	var document object
	require.NoError(t, json.Unmarshal([]byte(`{
		"openapi": "3.1.0", "info": {"title": "t", "version": "1"},
		"x-rate-limits": {
			"default": {"requests": 1, "windowSeconds": 1, "scope": "workspace"},
			"anonymous": {"requests": 1, "windowSeconds": 1, "scope": "ip"},
			"sign-in": {"requests": 1, "windowSeconds": 1, "scope": "ip"}
		},
		"components": {
			"securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}, "other": {"type": "http", "scheme": "basic"}},
			"schemas": {
				"ErrorCode": {"type": "string", "enum": ["not_found"], "x-error-codes": {"not_found": {"status": 404, "title": "Not found"}}},
				"Scope": {"type": "string", "enum": ["leads:read"], "x-scope-descriptions": {"leads:read": "Read leads."}}
			}
		},
		"paths": {"/x": {"get": {
			"operationId": "x", "x-rate-limit": "default", "x-sdk-method": "x.get", "security": [{"bearerAuth": ["leads:read"]}],
			"responses": {"204": {"description": "ok"}}
		}}},
		"webhooks": {"lead.created": {"post": {"operationId": "hook", "x-required-scope": "leads:read", "responses": {"204": {"description": "ok"}}}}}
	}`), &document))
	return document
}

func load(t *testing.T, document object) error {
	t.Helper()
	text, err := json.Marshal(document)
	require.NoError(t, err)
	_, err = spec.Load(text)
	return err
}

// TestLoadRejectsInconsistentDocument changes one property of a valid document at a time.
func TestLoadRejectsInconsistentDocument(t *testing.T) {
	t.Parallel()
	require.NoError(t, load(t, minimal(t)))
	get := []string{"paths", "/x", "get"}
	key := object{"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string"}}
	for _, tt := range []struct {
		path  []string
		value any // nil removes the property
		want  string
	}{
		{append(slices.Clone(get), "x-rate-limit"), "fast", `x-rate-limit names no class: "fast"`},
		{append(slices.Clone(get), "x-sdk-method"), nil, "x-sdk-method is missing"},
		{append(slices.Clone(get), "security"), nil, "security is not stated"},
		{append(slices.Clone(get), "security"), []any{object{"bearerAuth": []any{"leads:eat"}}}, `unknown scope "leads:eat"`},
		{append(slices.Clone(get), "security"), []any{object{"bearerAuth": []any{"leads:read", "leads:write"}}}, "at most one scope"},
		{append(slices.Clone(get), "security"), []any{object{"bearerAuth": []any{}}, object{"other": []any{}}}, "must be bearerAuth"},
		{append(slices.Clone(get), "security"), []any{object{"other": []any{}}}, "must be bearerAuth"},
		{append(slices.Clone(get), "parameters"), []any{key}, "Idempotency-Key"},
		{[]string{"paths", "/x"}, object{"post": at(minimal(t), get...)}, "Idempotency-Key"},
		{[]string{"x-rate-limits", "sign-in"}, nil, "class sign-in is missing"},
		{[]string{"x-rate-limits", "default", "requests"}, 0, "class default is incomplete"},
		{[]string{"x-rate-limits", "default", "windowSeconds"}, nil, "class default is incomplete"},
		{[]string{"x-rate-limits", "default", "scope"}, "planet", "class default is incomplete"},
		{[]string{"components", "schemas", "ErrorCode", "x-error-codes", "not_found", "status"}, 204, "not_found is incomplete"},
		{[]string{"components", "schemas", "ErrorCode", "x-error-codes", "not_found", "title"}, nil, "not_found is incomplete"},
		{[]string{"components", "schemas", "Scope", "x-scope-descriptions"}, object{}, "leads:read is missing"},
		{[]string{"webhooks", "lead.created", "post", "x-required-scope"}, "leads:eat", `unknown event or scope "leads:eat"`},
		{[]string{"webhooks", "lead.invented"}, object{"post": object{"responses": object{"204": object{"description": "ok"}}}}, "lead.invented"},
	} {
		document := minimal(t)
		parent, last := at(document, tt.path[:len(tt.path)-1]...).(object), tt.path[len(tt.path)-1]
		if parent[last] = tt.value; tt.value == nil {
			delete(parent, last)
		}
		require.ErrorContains(t, load(t, document), tt.want, tt.path)
	}
}
