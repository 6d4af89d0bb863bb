package main

import (
	"context"
	"os"

	"github.com/avelto/convo/internal/platform/extract"
)

// extractCommand is the child process that parses one uploaded file or crawled page.
type extractCommand struct {
	Kind    string `arg:""`
	Address string `arg:"" optional:""`
}

// Run implements the command.
func (c *extractCommand) Run(ctx context.Context) error {
	return extract.Main(ctx, c.Kind, c.Address, os.Stdin, os.Stdout)
}
