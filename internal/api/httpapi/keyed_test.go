package httpapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestIdempotencyKeyCoversHeaders sends the same key and body with other headers.
func TestIdempotencyKeyCoversHeaders(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	send := func(contentType, name string) apitest.Response {
		return s.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/knowledge/upload", Token: token, Body: "# Returns",
			Header: map[string]string{"Idempotency-Key": "k", "Content-Type": contentType, "X-Original-Name": name},
		})
	}
	first := send("text/markdown", "a.md").Want(t, http.StatusAccepted)
	replayed := send(" Text/Markdown ", " a.md ").Want(t, http.StatusAccepted)
	require.Equal(t, "true", replayed.Header.Get("Idempotent-Replayed"))
	requireReplayed(t, operation(t, s, "uploadKnowledge"), first, replayed)
	send("text/plain", "a.md").Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
	send("text/markdown", "b.md").Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
	require.Len(t, apitest.Decode[[]api.KnowledgeJob](t, s.Get(t, token, "/knowledge/jobs")), 1)
}

func TestIdempotencyKeyCoversPath(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	r := withKey(token, `{"name":"vip"}`)
	r.Path = "/tags"
	s.Do(t, r).Want(t, http.StatusCreated)
	r.Path, r.Body = "/agents", `{"name":"vip","modelProvider":"openai","modelName":"gpt-4o-mini"}`
	s.Do(t, r).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
}

func TestReplayIsNotAudited(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	for range 3 {
		s.Do(t, withKey(token, `{"fields":{"name":"Anna"}}`)).Want(t, http.StatusCreated)
	}
	s.Sequence(t)
	var entries int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM audit_entries").Scan(&entries))
	require.Equal(t, 1, entries)
}

func operation(t *testing.T, s *apitest.Server, id string) *spec.Operation {
	t.Helper()
	at := slices.IndexFunc(s.Document.Operations, func(o *spec.Operation) bool { return o.ID == id })
	require.GreaterOrEqual(t, at, 0, id)
	return s.Document.Operations[at]
}

// requireReplayed compares a response with its replay: the body, without what is shown
// once, and each header that the document lists, without those of the request itself.
func requireReplayed(t *testing.T, o *spec.Operation, first, second apitest.Response) {
	t.Helper()
	require.Equal(t, first.Status, second.Status, o.ID)
	require.Equal(t, first.Header.Get("Content-Type"), second.Header.Get("Content-Type"), o.ID)
	if len(o.ShownOnce) == 0 {
		require.Equal(t, string(first.Body), string(second.Body), o.ID)
	}
	for name := range listedHeaders(o, first.Status) {
		if name == "X-Request-Id" || name == "Idempotent-Replayed" || strings.Contains(strings.ToLower(name), "ratelimit") {
			continue
		}
		require.Equal(t, first.Header.Values(name), second.Header.Values(name), "%s: %s", o.ID, name)
	}
}

func listedHeaders(o *spec.Operation, status int) openapi3.Headers {
	if response := o.Definition.Responses.Status(status); response != nil {
		return response.Value.Headers
	}
	return nil
}

// TestOperationsThatWriteAreRecorded reads the handlers: each response of an operation that
// writes must be one of Once, OnceByStatement, Afterwards or Amend, which record it in the audit
// log, and store the response if there is an Idempotency-Key.
func TestOperationsThatWriteAreRecorded(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	methods := parseMethods(t)
	for _, o := range document.Operations {
		require.True(t, o.Writes() || !o.Idempotent, o.ID)
		if !o.Writes() {
			continue
		}
		handler := methods[strings.ToUpper(o.ID[:1])+o.ID[1:]]
		require.NotNil(t, handler, o.ID)
		require.True(t, records(methods, handler), "%s returns a response that is not recorded", o.ID)
	}
	reads := methods["ListLeads"]
	require.NotNil(t, reads)
	require.False(t, records(methods, reads), "the check fails where nothing is recorded")
}

// parseMethods returns the methods of this package by name.
func parseMethods(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	methods := map[string]*ast.FuncDecl{}
	for _, name := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[f.Name.Name] = f
			}
		}
	}
	return methods
}

// records reports whether a function returns nil or a recorded response only.
func records(methods map[string]*ast.FuncDecl, f *ast.FuncDecl) bool {
	recorded, ok := map[string]bool{"nil": true}, true
	isRecorded := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return recorded[e.Name]
		case *ast.CallExpr:
			called, isSelector := e.Fun.(*ast.SelectorExpr)
			if !isSelector {
				return false
			}
			if from, isName := called.X.(*ast.Ident); isName && from.Name == "middleware" {
				return slices.Contains([]string{"Once", "OnceByStatement", "Afterwards", "Amend"}, called.Sel.Name)
			}
			own := methods[called.Sel.Name]
			return own != nil && own != f && records(methods, own)
		}
		return false
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // what it returns is recorded by Once
		case *ast.AssignStmt:
			if name, isName := n.Lhs[0].(*ast.Ident); isName && len(n.Rhs) == 1 && isRecorded(n.Rhs[0]) {
				recorded[name.Name] = true
			}
		case *ast.ReturnStmt:
			ok = ok && len(n.Results) > 0 && isRecorded(n.Results[0])
		}
		return true
	})
	return ok
}
