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
	ForwardTo string   `help:"Where to send each event, on this machine." placeholder:"URL" required:""`
	Events    []string `help:"Which events, by commas: lead.created,conversation.closed." required:""`
	Server    string   `default:"http://127.0.0.1:8080" env:"CONVO_URL" help:"The server to listen to."`
	Token     string   `env:"CONVO_TOKEN" help:"API token. When empty, that of a running convo dev."`
	DataDir   string   `default:".convo" env:"CONVO_DATA_DIR" help:"Where convo dev keeps its data." type:"path"`
}

// Run implements the command.
func (c *listenCommand) Run(ctx context.Context) error {
	if c.Token == "" {
		kept, err := os.ReadFile(filepath.Join(c.DataDir, demoTokenFile))
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("CONVO_TOKEN is not set, and no convo dev runs in %s", c.DataDir)
		} else if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		c.Token = strings.TrimSpace(string(kept))
	}
	return listen.Run(ctx, listen.Options{
		Server: strings.TrimSuffix(c.Server, "/"), Token: c.Token, Events: c.Events, ForwardTo: c.ForwardTo,
		Print: func(format string, args ...any) { fmt.Printf(format, args...) },
	})
}
