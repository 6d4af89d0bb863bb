package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/widget"
	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

type devCommand struct {
	app.Config

	DataDir string `default:".convo" env:"CONVO_DATA_DIR" help:"Directory in which convo dev stores its data." type:"path"`
}

const (
	keyBytes      = 32
	demoTokenFile = "demo-token"
	demoEmail     = "demo@example.com"
)

// Run implements the command.
func (c *devCommand) Run(ctx context.Context) (err error) {
	// Take the lock and the address first: starting PostgreSQL stops a server that an
	// earlier process left running in the directory, and another process must not lose its
	// own.
	release, err := lockDataDir(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	listener, err := app.Listen(ctx, "CONVO_ADDR", c.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := writeOwner(c.DataDir, listener.Addr()); err != nil {
		return err
	}
	return within(ctx, c.ShutdownDelay+c.ShutdownTimeout, func() error { return c.serve(ctx, listener) })
}

// serve starts the database and serves until ctx is canceled.
func (c *devCommand) serve(ctx context.Context, listener net.Listener) (err error) {
	server, err := embedded.Start(ctx, embedded.Options{
		Dir:  filepath.Join(c.DataDir, "postgres"),
		Logf: func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	})
	if err != nil {
		return err
	}
	urlPath := filepath.Join(c.DataDir, urlFile)
	defer func() {
		err = errors.Join(err, os.Remove(urlPath), server.Stop(ctx))
	}()
	url := server.URL("postgres")
	if err := os.WriteFile(urlPath, []byte(url+"\n"), 0o600); err != nil {
		return fmt.Errorf("write database URL: %w", err)
	}
	key, err := c.keep("secret-key", func() (string, error) { return randomHex(), nil })
	if err != nil {
		return err
	}
	raw, err := app.ParseKey(key)
	if err != nil {
		return err
	}
	for _, network := range egress.Loopback() {
		c.AllowedTargets = append(c.AllowedTargets, network.String())
	}
	if c.Storage == app.DefaultStorage {
		c.Storage = filepath.Join(c.DataDir, "files")
	}
	simulators, stop, err := startSimulators(ctx)
	if err != nil {
		return err
	}
	defer stop()
	d := daemon{
		database: database{DatabaseURL: url, Pooler: "none"}, config: c.Config, key: raw, publicURL: true, listener: listener,
		listening: func(a *app.App, log *slog.Logger, on *postgres.DB, addr net.Addr) error {
			if err := c.loadDemo(ctx, a, log, on, simulators); err != nil {
				return err
			}
			return c.welcome(ctx, a, on, addr)
		},
	}
	d.config.ShutdownTimeout = c.ShutdownTimeout * 3 / 4 // the rest is for PostgreSQL
	return d.run(ctx, func(ctx context.Context, config app.Config, parts app.Parts) (*app.App, error) {
		parts.Workers, parts.Demo, parts.Simulators = true, true, simulators
		return app.New(ctx, config, parts)
	})
}

// startSimulators serves simulators of the channels' providers on a free port.
func startSimulators(ctx context.Context) (set *simulator.Set, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen for the simulators: %w", err)
	}
	set, err = simulator.NewSet(ctx, "http://"+listener.Addr().String(), &http.Client{})
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: set, ReadHeaderTimeout: simulatorHeaderTimeout}
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	return set, func() {
		_ = server.Close()
		set.Close()
	}, nil
}

// loadDemo loads the demo data into an empty database, and connects its channels.
func (c *devCommand) loadDemo(ctx context.Context, a *app.App, log *slog.Logger, on *postgres.DB, simulators *simulator.Set) error {
	loaded, err := demo.Load(ctx, on)
	if err != nil {
		return err
	}
	if loaded {
		if err := storeDemoFiles(ctx, on, c.Storage); err != nil {
			return err
		}
	}
	if err := demo.Connect(ctx, on, a.Channels, simulators); err != nil {
		log.WarnContext(ctx, "channels of the demo not connected to simulators", "error", err)
	}
	return nil
}

// welcome prints how to get started.
func (c *devCommand) welcome(ctx context.Context, a *app.App, on *postgres.DB, addr net.Addr) error {
	plaintext, err := c.keep(demoTokenFile, func() (string, error) { return demoToken(ctx, a, on) })
	if err != nil {
		return err
	}
	password, err := c.keep("demo-password", func() (string, error) { return demoPassword(ctx, on) })
	if err != nil {
		return err
	}
	page, err := demoPage(ctx, on)
	if err != nil {
		return err
	}
	base := "http://" + addr.String()
	fmt.Printf(`
  Convo is running with demo data in the workspaces %q and %q.

  API       %s%s
  Docs      %s/docs   OpenAPI  %s%s/openapi.json
  Console   %s/app   sign in as %s with %s
  Widget    %s   a page with the chat widget on it
  Simulator %s/app/simulator   what contacts of the other channels get
  Health    %s/readyz   Metrics  %s
  Data      %s
  Token     %s   (workspace %s, all scopes)

  Try it:

    curl -H "Authorization: Bearer %s" "%s%s/leads?sort=score&limit=3"

  Press Ctrl-C to stop.

`, demo.Slug, demo.OtherSlug, base, spec.BasePath, base, base, spec.BasePath,
		base, demoEmail, password, base+page, base, base, metricsURL(a), c.DataDir,
		plaintext, demo.Slug, plaintext, base, spec.BasePath)
	return nil
}

// demoPage returns the path of the page with the chat widget, of the first channel for it.
func demoPage(ctx context.Context, on *postgres.DB) (string, error) {
	row, err := (&workspace.Service{DB: on}).BySlug(ctx, demo.Slug)
	if err != nil {
		return "", err
	}
	channels, err := db.New().ChannelList(ctx, on, db.ChannelListParams{WorkspaceID: row.ID, BeforeID: id.Max, RowLimit: channel.MaxChannels})
	if err != nil {
		return "", fmt.Errorf("list channels: %w", err)
	}
	for _, one := range channels {
		if one.Type == api.ChannelTypeWEBSITE {
			return widget.DemoPath + "?channel=" + one.ID.String(), nil
		}
	}
	return widget.DemoPath, nil
}

// metricsURL returns where metrics are served.
func metricsURL(a *app.App) string {
	if a.OpsAddr == "" {
		return "off"
	}
	return "http://" + a.OpsAddr + "/metrics"
}

// demoToken creates a token with all scopes in the demo workspace.
func demoToken(ctx context.Context, a *app.App, on *postgres.DB) (string, error) {
	spaces := &workspace.Service{DB: on, IDs: id.NewGenerator(clock.System{})}
	space, err := spaces.BySlug(ctx, demo.Slug)
	if err != nil {
		return "", err
	}
	plaintext, _, err := a.Tokens.Create(ctx, on, token.NewToken{WorkspaceID: space.ID, Name: "convo dev", Scopes: a.Scopes})
	return plaintext, err
}

// demoPassword creates a user who can sign in to both demo workspaces, or resets the
// user's password if the user exists.
func demoPassword(ctx context.Context, on *postgres.DB) (string, error) {
	ids, made := id.NewGenerator(clock.System{}), user.NewPassword()
	users := &user.Service{DB: on, IDs: ids, Clock: clock.System{}, Hasher: user.NewHasher()}
	row, err := users.ByEmail(ctx, demoEmail)
	if err == nil {
		return made, users.SetPassword(ctx, row.ID, made)
	} else if !errors.Is(err, user.ErrUnknown) {
		return "", err
	}
	workspaceIDs, err := bySlugs(ctx, &workspace.Service{DB: on, IDs: ids}, []string{demo.Slug, demo.OtherSlug})
	if err != nil {
		return "", err
	}
	_, err = users.Create(ctx, user.New{Email: demoEmail, Name: "Demo User", Password: made}, workspaceIDs...)
	return made, err
}

// keep returns the content of a file in the data directory. If the file doesn't exist,
// it stores the result of create there first.
func (c *devCommand) keep(name string, create func() (string, error)) (string, error) {
	path := filepath.Join(c.DataDir, name)
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	fresh, err := create()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, []byte(fresh+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return fresh, nil
}

func randomHex() string {
	random := make([]byte, keyBytes)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}
