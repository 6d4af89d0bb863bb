// Command program is the reader process alone, without the rest of the server.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/avelto/convo/internal/platform/extract"
)

func main() {
	if err := extract.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
