package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

// secretKeys holds the flags of the keys that sign cursors and encrypt secrets.
type secretKeys struct {
	SecretKey  string `env:"CONVO_SECRET_KEY" help:"Secret key, at least 32 bytes in hexadecimal, the same for all servers and workers. Signs cursors and encrypts webhook signing secrets."`
	SecretKeys string `env:"CONVO_SECRET_KEYS" help:"Instead of CONVO_SECRET_KEY during a rotation: the new key and the previous ones, comma-separated, newest first."`
}

type serveCommand struct {
	database
	app.Config
	secretKeys

	Workers bool `default:"true" env:"CONVO_WORKERS" help:"Also deliver webhooks and run jobs. If disabled, convo work must run." negatable:""`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context) error {
	key, older, err := app.ParseKeys(c.SecretKey, c.SecretKeys)
	if err != nil {
		return err
	}
	d := daemon{database: c.database, config: c.Config, key: key, oldKeys: older, listening: func(a *app.App, log *slog.Logger, _ *postgres.DB, addr net.Addr) error {
		log.InfoContext(ctx, "listening", "addr", addr.String(), "ops", a.OpsAddr, "workers", c.Workers)
		return nil
	}}
	return d.run(ctx, func(ctx context.Context, config app.Config, parts app.Parts) (*app.App, error) {
		parts.Workers = c.Workers
		return app.New(ctx, config, parts)
	})
}

type workCommand struct {
	database
	app.Config
	secretKeys
}

// Run implements the command.
func (c *workCommand) Run(ctx context.Context) error {
	key, older, err := app.ParseKeys(c.SecretKey, c.SecretKeys)
	if err != nil {
		return err
	}
	d := daemon{database: c.database, config: c.Config, key: key, oldKeys: older, listening: func(a *app.App, log *slog.Logger, _ *postgres.DB, addr net.Addr) error {
		log.InfoContext(ctx, "working", "addr", addr.String(), "ops", a.OpsAddr)
		return nil
	}}
	return d.run(ctx, app.NewWorker)
}

// daemon runs a server or worker until its context is canceled.
type daemon struct {
	database  database
	config    app.Config
	key       []byte
	oldKeys   [][]byte
	listener  net.Listener // listens on config.Addr if nil
	publicURL bool         // use the listening address as the public URL if none is set
	listening func(a *app.App, log *slog.Logger, on *postgres.DB, addr net.Addr) error
}

// build is app.New or app.NewWorker.
type build func(ctx context.Context, config app.Config, parts app.Parts) (*app.App, error)

// run serves until ctx is canceled, and shuts down within config.ShutdownDelay and
// config.ShutdownTimeout even if the database no longer responds.
func (d daemon) run(ctx context.Context, build build) error {
	return within(ctx, d.config.ShutdownDelay+d.config.ShutdownTimeout, func() error { return d.serve(ctx, build) })
}

// within runs fn. If fn has not returned some time after ctx is canceled, it returns an
// error so that the process can exit.
func within(ctx context.Context, timeout time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(timeout):
		return fmt.Errorf("not shut down after %s: gave up", timeout)
	}
}

const (
	// statementTimeout bounds each statement of a server or worker, and idleInTransaction
	// the time between two of a transaction.
	statementTimeout  = 10 * time.Second
	idleInTransaction = 3 * time.Second
	traceFlushTimeout = 5 * time.Second
)

func (d daemon) serve(ctx context.Context, build build) error {
	log, flush, err := app.NewLogger(os.Stderr, d.config.LogLevel)
	if err != nil {
		return err
	}
	defer flush()
	limitMemory(ctx, log)
	tracing := app.TracingWanted(os.Getenv)
	if tracing {
		stop, err := app.StartTracing(ctx)
		if err != nil {
			return err
		}
		defer func() {
			flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlushTimeout)
			defer cancel()
			_ = stop(flushing) // remaining spans are lost if the flush fails
		}()
	}
	on, err := d.database.open(ctx, postgres.Options{
		MaxConns: d.config.Conns(), Tracing: tracing, StatementTimeout: statementTimeout, IdleInTransaction: idleInTransaction,
	})
	if err != nil {
		return err
	}
	defer on.Close()
	listener := d.listener
	if listener == nil {
		if listener, err = app.Listen(ctx, "CONVO_ADDR", d.config.Addr); err != nil {
			return err
		}
	}
	if d.publicURL && d.config.PublicURL == "" {
		d.config.PublicURL = "http://" + listener.Addr().String()
	}
	a, err := build(ctx, d.config, app.Parts{DB: on, Key: d.key, OldKeys: d.oldKeys, Log: log, Clock: clock.System{}, Tracing: tracing})
	if err != nil {
		return err
	}
	if err := d.listening(a, log, on, listener.Addr()); err != nil {
		return err
	}
	return a.Serve(ctx, listener, d.config)
}
