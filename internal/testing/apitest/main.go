package apitest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/testdb"
)

// Main runs the tests of a package. Called as the process that reads a file, it does
// that instead.
func Main(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != extract.Command {
		testdb.Main(m)
		return
	}
	if err := extract.Main(context.Background(), os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
