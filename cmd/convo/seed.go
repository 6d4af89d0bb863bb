package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

type seedCommand struct {
	database

	Leads     int    `help:"Load this many leads (using COPY) instead of the demo data." placeholder:"N"`
	Workspace string `default:"demo" help:"Slug of the workspace for the leads. It is created if it doesn't exist."`
	Storage   string `env:"CONVO_STORAGE" default:"${storage}" help:"Storage for the files of the demo data, as for convo serve."`
}

// Run implements the command.
func (c *seedCommand) Run(ctx context.Context) error {
	on, err := c.open(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	if c.Leads <= 0 {
		return c.loadDemo(ctx, on)
	}
	spaces := &workspace.Service{DB: on, IDs: id.NewGenerator(clock.System{})}
	space, err := spaces.Ensure(ctx, c.Workspace, c.Workspace)
	if err != nil {
		return err
	}
	started := time.Now()
	progress, finish := bar(c.Leads)
	if err := demo.LoadLeads(ctx, on, space.ID, started, c.Leads, progress); err != nil {
		return err
	}
	finish()
	fmt.Printf("loaded %d leads into %s in %s\n", c.Leads, space.Slug, time.Since(started).Round(time.Millisecond))
	return nil
}

func (c *seedCommand) loadDemo(ctx context.Context, on *postgres.DB) error {
	loaded, err := demo.Load(ctx, on)
	if err != nil {
		return err
	}
	if !loaded {
		fmt.Println("the database is not empty; nothing was loaded")
		return nil
	}
	if err := storeDemoFiles(ctx, on, c.Storage); err != nil {
		return err
	}
	fmt.Println("loaded demo data")
	return nil
}

// storeDemoFiles stores the files of the demo data.
func storeDemoFiles(ctx context.Context, on *postgres.DB, storage string) error {
	files, err := blob.Open(ctx, storage)
	if err != nil {
		return err
	}
	return demo.StoreFiles(ctx, on, files)
}

// bar shows progress if standard error is a terminal.
func bar(total int) (progress func(int), finish func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func(int) {}, func() {}
	}
	b := progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("leads"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionClearOnFinish())
	// A failure to draw the progress bar must not stop the load.
	return func(n int) { _ = b.Add(n) }, func() { _ = b.Finish() }
}
