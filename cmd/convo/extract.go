package main

import (
	"context"
	"os"

	"github.com/avelto/convo/internal/platform/extract"
)

// extractCommand is the reader process, which opens one file or page of a stranger.
type extractCommand struct{}

// Run implements the command.
func (*extractCommand) Run(ctx context.Context) error {
	return extract.Main(ctx, os.Stdin, os.Stdout)
}
