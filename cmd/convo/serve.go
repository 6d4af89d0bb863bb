package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/clock"
	"github.com/avelto/convo/internal/postgres"
)

type serveCommand struct {
	database
	app.Config

	SecretKey string `env:"CONVO_SECRET_KEY" help:"At least 32 bytes in hexadecimal, the same for all replicas."`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context) error {
	key, err := app.ParseKey(c.SecretKey)
	if err != nil {
		return err
	}
	return serve(ctx, c.database, c.Config, key, nil)
}

// serve runs a server until ctx ends. ready is called once it listens.
func serve(ctx context.Context, from database, config app.Config, key []byte, ready func(*app.App, *postgres.DB, net.Addr) error) error {
	log, flush, err := app.NewLogger(os.Stderr, config.LogLevel)
	if err != nil {
		return err
	}
	defer flush()
	tracing := app.TracingWanted(os.Getenv)
	if tracing {
		stop, err := app.StartTracing(ctx)
		if err != nil {
			return err
		}
		defer stop(context.WithoutCancel(ctx)) //nolint:errcheck // spans that cannot be sent any more
	}
	on, err := from.open(ctx, postgres.Options{MaxConns: config.DatabaseConns, Tracing: tracing})
	if err != nil {
		return err
	}
	defer on.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if ready != nil && config.PublicURL == "" {
		config.PublicURL = "http://" + listener.Addr().String()
	}
	a, err := app.New(config, app.Parts{DB: on, Key: key, Log: log, Clock: clock.System{}, Tracing: tracing})
	if err != nil {
		return err
	}
	if ready != nil {
		if err := ready(a, on, listener.Addr()); err != nil {
			return err
		}
	} else {
		log.InfoContext(ctx, "listening", "addr", listener.Addr().String())
	}
	app.TuneGC(os.Getenv)
	a.Slim()
	return a.Serve(ctx, listener, config)
}
