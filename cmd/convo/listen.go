package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/avelto/convo/internal/listen"
)

type listenCommand struct {
	ForwardTo string   `help:"Local URL that receives each event." placeholder:"URL" required:""`
	Events    []string `help:"Event types, comma-separated, such as lead.created,conversation.closed." required:""`
	Server    string   `default:"http://127.0.0.1:8080" env:"CONVO_URL" help:"URL of the server."`
	Token     string   `env:"CONVO_TOKEN" help:"API token. If empty, the token of a running convo dev is used."`
	DataDir   string   `default:".convo" env:"CONVO_DATA_DIR" help:"Directory in which convo dev stores its data." type:"path"`
}

// Run implements the command.
func (c *listenCommand) Run(ctx context.Context) error {
	if c.Token == "" {
		kept, err := os.ReadFile(filepath.Join(c.DataDir, demoTokenFile))
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("CONVO_TOKEN is not set, and no convo dev is running with data in %s", c.DataDir)
		} else if err != nil {
			return fmt.Errorf("read token: %w", err)
		}
		c.Token = strings.TrimSpace(string(kept))
	}
	return listen.Run(ctx, listen.Options{
		Server: strings.TrimSuffix(c.Server, "/"), Token: c.Token, Events: c.Events, ForwardTo: c.ForwardTo,
		Print: func(format string, args ...any) { fmt.Printf(format, args...) },
	})
}
