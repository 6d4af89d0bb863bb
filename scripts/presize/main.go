// Presize lets generated lists begin with room for all the rows that they ask for, and
// read each row into its place, where sqlc lets them grow by doubling and copies each
// row there: a page of 50 leads leaves half as much behind.
//
//	go run ./scripts/presize gen/db/*.sql.go
package main

import (
	"fmt"
	"os"
	"regexp"
)

var (
	function = regexp.MustCompile(`(?s)\nfunc \(q \*Queries\) .*?\n}\n`)
	limited  = regexp.MustCompile(`arg\.RowLimit`)
	empty    = regexp.MustCompile(`items := (\[\]\w+)\{\}`)
	row      = regexp.MustCompile(`(?m)^\t\tvar i (\w+)$`)
	copied   = regexp.MustCompile(`(?m)^\t\titems = append\(items, i\)\n`)
)

func presize(code []byte) []byte {
	return function.ReplaceAllFunc(code, func(body []byte) []byte {
		if !limited.Match(body) {
			return body
		}
		body = empty.ReplaceAll(body, []byte("items := make($1, 0, arg.RowLimit)"))
		body = row.ReplaceAll(body, []byte("\t\titems = append(items, $1{})\n\t\ti := &items[len(items)-1]"))
		return copied.ReplaceAll(body, nil)
	})
}

func main() {
	for _, path := range os.Args[1:] {
		code, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, presize(code), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "presize:", err)
			os.Exit(1)
		}
	}
}
