package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/types/typeutil"
)

const (
	module   = "github.com/avelto/convo"
	postgres = module + "/internal/platform/postgres"
)

// pools are types whose methods take a connection from the pool.
var pools = map[string]bool{
	postgres + ".DB":                       true,
	"github.com/jackc/pgx/v5/pgxpool.Pool": true,
}

// transactions are types of a connection that is, or may be, a transaction.
var transactions = map[string]bool{
	postgres + ".Tx":             true,
	postgres + ".Conn":           true,
	module + "/gen/db.DBTX":      true,
	"github.com/jackc/pgx/v5.Tx": true,
}

// begun are the types that are always a transaction: declaring a variable of such a type
// begins one.
var begun = map[string]bool{postgres + ".Tx": true, "github.com/jackc/pgx/v5.Tx": true}

// Analyzer reports uses of the pool in a function that has a transaction: of its value, and
// calls to functions of this module that use it, directly or indirectly. Package postgres,
// which implements transactions, and tests are exempt.
var Analyzer = &analysis.Analyzer{
	Name: "txpool", Doc: "report the use of the connection pool inside a transaction",
	Run: run, FactTypes: []analysis.Fact{(*usesPool)(nil)},
}

// usesPool is the fact that a function uses the pool.
type usesPool struct{}

// AFact implements analysis.Fact.
func (*usesPool) AFact() {}

// String names the fact for tests.
func (*usesPool) String() string { return "usesPool" }

// use is an expression that uses the pool, or may do so by a call.
type use struct {
	pos    token.Pos
	callee *types.Func // nil for the pool itself
}

// function is a declared function, with its uses and those inside a transaction.
type function struct {
	object       *types.Func
	uses, inside []use
}

func run(pass *analysis.Pass) (any, error) {
	path := strings.TrimSuffix(pass.Pkg.Path(), "_test")
	if !strings.HasPrefix(path, module) || path == postgres {
		return nil, nil //nolint:nilnil // the result is not used
	}
	var functions []*function
	for _, file := range pass.Files {
		if strings.HasSuffix(pass.Fset.File(file.FileStart).Name(), "_test.go") {
			continue
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Body != nil {
				functions = append(functions, inspect(pass, f))
			}
		}
	}
	exportFacts(pass, functions)
	for _, f := range functions {
		for _, one := range f.inside {
			if one.callee == nil {
				pass.Reportf(one.pos, "the pool is used inside a transaction: use the transaction's connection")
			} else if uses(pass, one.callee) {
				pass.Reportf(one.pos, "%s uses the pool and is called inside a transaction", one.callee.Name())
			}
		}
	}
	return nil, nil //nolint:nilnil // the result is not used
}

// exportFacts marks the functions that use the pool, by calls among them too.
func exportFacts(pass *analysis.Pass, functions []*function) {
	for changed := true; changed; {
		changed = false
		for _, f := range functions {
			if uses(pass, f.object) {
				continue
			}
			for _, one := range f.uses {
				if one.callee == nil || uses(pass, one.callee) {
					pass.ExportObjectFact(f.object, &usesPool{})
					changed = true
					break
				}
			}
		}
	}
}

func uses(pass *analysis.Pass, f *types.Func) bool { return pass.ImportObjectFact(f, &usesPool{}) }

// inspect collects the uses of one function.
func inspect(pass *analysis.Pass, declaration *ast.FuncDecl) *function {
	object, _ := pass.TypesInfo.Defs[declaration.Name].(*types.Func)
	f := &function{object: object}
	// since is where the innermost transaction in scope begins.
	var walk func(node ast.Node, since token.Pos)
	walk = func(root ast.Node, since token.Pos) {
		ast.Inspect(root, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncLit:
				inner := since
				if begins(pass, node.Type) && inner == token.NoPos {
					inner = node.Body.Pos()
				}
				walk(node.Body, inner)
				return false
			case *ast.KeyValueExpr: // a field's name in a literal is no use of a field
				if _, isName := node.Key.(*ast.Ident); isName {
					walk(node.Value, since)
					return false
				}
			case *ast.AssignStmt, *ast.ValueSpec:
				if since == token.NoPos && declares(pass, node) {
					since = node.End()
				}
			}
			if one, ok := useOf(pass, node); ok {
				f.uses = append(f.uses, one)
				if since != token.NoPos && one.pos > since {
					f.inside = append(f.inside, one)
				}
			}
			selector, ok := node.(*ast.SelectorExpr)
			if ok { // its name is no use of its own
				walk(selector.X, since)
			}
			return !ok
		})
	}
	since := token.NoPos
	if begins(pass, declaration.Type) {
		since = declaration.Body.Pos()
	}
	walk(declaration.Body, since)
	return f
}

// begins reports whether a function gets a transaction.
func begins(pass *analysis.Pass, signature *ast.FuncType) bool {
	for _, parameter := range signature.Params.List {
		if is(pass.TypesInfo.TypeOf(parameter.Type), transactions) {
			return true
		}
	}
	return false
}

// declares reports whether a statement declares a variable that holds a transaction.
func declares(pass *analysis.Pass, statement ast.Node) bool {
	var names []ast.Expr
	switch statement := statement.(type) {
	case *ast.AssignStmt:
		names = statement.Lhs
	case *ast.ValueSpec:
		for _, name := range statement.Names {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if id, ok := name.(*ast.Ident); ok && pass.TypesInfo.Defs[id] != nil && is(pass.TypesInfo.Defs[id].Type(), begun) {
			return true
		}
	}
	return false
}

// useOf returns what a node uses: a value of a pool's type, or a function of the module.
func useOf(pass *analysis.Pass, node ast.Node) (use, bool) {
	switch node := node.(type) {
	case *ast.Ident:
		v, ok := pass.TypesInfo.Uses[node].(*types.Var)
		return use{pos: node.Pos()}, ok && is(v.Type(), pools)
	case *ast.SelectorExpr:
		kind, ok := pass.TypesInfo.Types[node]
		return use{pos: node.Pos()}, ok && kind.IsValue() && is(kind.Type, pools)
	case *ast.CallExpr:
		callee, ok := typeutil.Callee(pass.TypesInfo, node).(*types.Func)
		if !ok || callee.Pkg() == nil || !strings.HasPrefix(callee.Pkg().Path(), module) {
			return use{}, false
		}
		return use{pos: node.Pos(), callee: callee.Origin()}, true
	}
	return use{}, false
}

// is reports whether a type, or the type that it points to, is one of the named ones.
func is(t types.Type, names map[string]bool) bool {
	if t == nil {
		return false
	}
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	return names[named.Obj().Pkg().Path()+"."+named.Obj().Name()]
}
