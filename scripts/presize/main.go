// Presize lets generated lists begin with room for all the rows that they ask for,
// where sqlc lets them grow by doubling: a page of 50 leads leaves a third less behind.
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
)

func presize(code []byte) []byte {
	return function.ReplaceAllFunc(code, func(body []byte) []byte {
		if !limited.Match(body) {
			return body
		}
		return empty.ReplaceAll(body, []byte("items := make($1, 0, arg.RowLimit)"))
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
