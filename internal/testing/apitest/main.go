package apitest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/testdb"
)

// isReader is set once a test binary is known to become the reader process when it is
// started as one. Any other would run its tests, which start readers, without end.
var isReader bool

// Main runs the tests of a package. Started as the reader process, it runs that instead.
func Main(m *testing.M) {
	isReader = true
	if len(os.Args) != 2 || os.Args[1] != extract.Command {
		testdb.Main(m)
		return
	}
	if err := extract.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
