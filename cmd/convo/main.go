// Convo serves a public API for conversational lead capture.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/avelto/convo/internal/app"
)

// commands are the binary's subcommands; each is a file beside this one.
type commands struct {
	Serve     serveCommand     `cmd:"" help:"Serve the API over an existing PostgreSQL."`
	Work      workCommand      `cmd:"" help:"Deliver webhooks and run jobs, without serving."`
	Dev       devCommand       `cmd:"" help:"Serve everything on a private PostgreSQL with demo data."`
	Listen    listenCommand    `cmd:"" help:"Bring events of a running server to an address on this machine."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database's schema up or down, or say where it is."`
	Seed      seedCommand      `cmd:"" help:"Load demo data, or a large number of leads."`
	Token     tokenCommand     `cmd:"" help:"Create, list and revoke API tokens."`
	User      userCommand      `cmd:"" help:"Create users of the console, let them into workspaces, change passwords."`
	Workspace workspaceCommand `cmd:"" help:"Create and list workspaces."`
	Extract   extractCommand   `cmd:"" hidden:"" help:"Read one file from standard input, in a process of its own."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "convo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	parser, err := kong.New(&commands{},
		kong.Name("convo"), kong.Description("A public API for conversational lead capture."),
		kong.UsageOnError(), kong.Vars{"storage": app.DefaultStorage}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return fmt.Errorf("commands: %w", err)
	}
	command, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	return command.Run()
}
