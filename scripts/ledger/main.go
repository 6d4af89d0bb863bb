//go:build linux

// Ledger proves that what clients were told is kept while everything fails. It runs Convo
// as in production (package system), drives it (package load), kills, freezes, cuts and
// restarts its parts, and compares what clients and receivers know with what the system has
// kept (package check).
//
//	make ledger
//
// It requires bin/convo, HAProxy, PostgreSQL and Linux, and ends within ten minutes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"
)

// command holds the flags. Small counts make a short run.
type command struct {
	Kills      int    `default:"30" help:"How often a process is killed."`
	Crashes    int    `default:"10" help:"How often PostgreSQL is killed."`
	Freezes    int    `default:"10" help:"How often connections to the database are frozen."`
	Cuts       int    `default:"12" help:"How often connections between two parts are closed."`
	Promotions int    `default:"3" help:"How often a standby takes over."`
	Restarts   int    `default:"3" help:"How often all replicas are restarted, one after the other."`
	Clients    int    `default:"6" help:"Clients that create leads."`
	Binary     string `default:"bin/convo" type:"path"`
	Out        string `help:"Document in which to replace the table. If empty, the table is printed only." type:"path"`
	Keep       bool   `help:"Keep the directory with the logs."`
}

// Run implements the command.
func (c *command) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-ledger-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	if c.Keep {
		fmt.Fprintln(os.Stderr, "logs are in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	l, err := open(ctx, dir, c)
	if err != nil {
		return err
	}
	defer l.close(ctx)
	found, err := l.run(ctx)
	if err != nil {
		return err
	}
	table := found.markdown()
	fmt.Println(table)
	if c.Out != "" {
		if err := writeTable(filepath.Clean(c.Out), table); err != nil {
			return err
		}
	}
	if problems := found.problems(); len(problems) > 0 {
		return fmt.Errorf("the ledger does not balance: %w", errors.Join(problems...))
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	parser, err := kong.New(&command{}, kong.Name("ledger"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err == nil {
		var command *kong.Context
		command, err = parser.Parse(os.Args[1:])
		parser.FatalIfErrorf(err)
		err = command.Run()
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}
