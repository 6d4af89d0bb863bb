package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/avelto/convo/internal/listen"
)

type listenCommand struct {
	apiAccess

	ForwardTo string   `help:"Local URL that receives each event." placeholder:"URL" required:""`
	Events    []string `help:"Event types, comma-separated, such as lead.created,conversation.closed." required:""`
}

// Run implements the command.
func (c *listenCommand) Run(ctx context.Context) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	return listen.Run(ctx, listen.Options{
		Server: strings.TrimSuffix(c.Server, "/"), Token: token, Events: c.Events, ForwardTo: c.ForwardTo,
		Print: func(format string, args ...any) { fmt.Printf(format, args...) },
	})
}
