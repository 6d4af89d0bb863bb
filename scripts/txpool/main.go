// Command txpool is a vet tool that rejects the use of the connection pool inside a
// transaction: `go vet -vettool=txpool ./...`.
//
// A function that holds a transaction holds a connection. If it takes a second one from
// the pool, a few concurrent callers are enough to wait for each other until they time
// out, and no other request is served meanwhile.
package main

import "golang.org/x/tools/go/analysis/unitchecker"

func main() { unitchecker.Main(Analyzer) }
