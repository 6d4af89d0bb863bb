// Convo is the server, the worker and the command line of a public API for
// conversational lead capture.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/avelto/convo/internal/app"
)

// commands are the subcommands of the binary, one file each.
type commands struct {
	Serve     serveCommand     `cmd:"" help:"Start the server on an existing PostgreSQL database."`
	Work      workCommand      `cmd:"" help:"Deliver webhooks and run jobs without serving requests."`
	Dev       devCommand       `cmd:"" help:"Start the server and workers on a private PostgreSQL with demo data, for local development."`
	Listen    listenCommand    `cmd:"" help:"Forward events from a running server to a URL on this machine."`
	Eval      evalCommand      `cmd:"" help:"Measure how well an agent of a running server replies, with a set of cases."`
	Simulate  simulateCommand  `cmd:"" help:"Act as the provider of a channel type, to try a channel without an account."`
	Migrate   migrateCommand   `cmd:"" help:"Apply or revert database migrations, or print the schema version."`
	Seed      seedCommand      `cmd:"" help:"Load the demo data into an empty database, or load a large number of leads."`
	Token     tokenCommand     `cmd:"" help:"Create, list and revoke API tokens."`
	Secrets   secretsCommand   `cmd:"" help:"Rotate the key that encrypts secrets in the database."`
	User      userCommand      `cmd:"" help:"Create, list and remove console users, and change passwords."`
	Workspace workspaceCommand `cmd:"" help:"Create and list workspaces, and set their rate limits."`
	Describe  describeCommand  `cmd:"" hidden:"" help:"Print all commands and flags as JSON."`
	Extract   extractCommand   `cmd:"" hidden:"" help:"Extract text from one file on standard input, in a separate process."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
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
		kong.Vars{"storage": app.DefaultStorage, "ops": app.DefaultOpsAddr}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return fmt.Errorf("commands: %w", err)
	}
	command, err := parser.Parse(args)
	if wrong, ok := errors.AsType[*kong.ParseError](err); ok {
		_ = wrong.Context.PrintUsage(false) // standard output may be closed
		parser.Errorf("%s", withoutValues(err, parser.Model))
		parser.Exit(wrong.ExitCode())
	}
	return command.Run()
}
