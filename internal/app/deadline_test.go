package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/testing/apitest"
)

// unbounded are the functions that may continue after their caller without a timeout of
// their own, and why.
var unbounded = map[string]string{
	"internal/app/serve.go Serve":                            "canceled when the requests have ended",
	"internal/app/workers.go runJobs":                        "canceled when the job queue has stopped",
	"internal/platform/batch/batch.go Run":                   "Flush has a timeout",
	"internal/domain/webhook/dispatcher/endpoint.go deliver": "Post has a timeout",
	"internal/domain/channel/simulator/email.go NewEmail":    "canceled by Close",
}

// TestWorkThatContinuesAfterItsCallerHasATimeout finds each context.WithoutCancel that is
// not passed to context.WithTimeout.
func TestWorkThatContinuesAfterItsCallerHasATimeout(t *testing.T) {
	t.Parallel()
	root, found := apitest.Root(t), 0
	for _, dir := range []string{"cmd", "db", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testing/") {
				return err
			}
			name, err := filepath.Rel(root, path)
			require.NoError(t, err)
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, function := range detached(file) {
				found++
				require.Contains(t, unbounded, name+" "+function)
			}
			return nil
		}))
	}
	require.Equal(t, len(unbounded), found, "the list names functions that no longer need it")
}

// detached returns the functions in which context.WithoutCancel stands on its own.
func detached(file *ast.File) (functions []string) {
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		bounded := map[ast.Node]bool{}
		ast.Inspect(function, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if calls(call, "WithTimeout") && len(call.Args) > 0 {
				bounded[call.Args[0]] = true
			}
			if calls(call, "WithoutCancel") && !bounded[call] {
				functions = append(functions, function.Name.Name)
			}
			return true
		})
	}
	return functions
}

func calls(call *ast.CallExpr, name string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == "context" && selector.Sel.Name == name
}
