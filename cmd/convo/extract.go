package main

import (
	"context"
	"os"

	"github.com/avelto/convo/internal/platform/extract"
)

// extractCommand is the reader process, which parses one untrusted file or page.
type extractCommand struct{}

// Run implements the command.
func (*extractCommand) Run(ctx context.Context) error {
	return extract.Main(ctx, os.Stdin, os.Stdout)
}
