//go:build linux

// Bench measures the server against references on private databases, and writes the
// results to the documents.
//
//	make bench
//	make bench-verify
//	make bench-webhooks
//	make bench-widget
//	make bench-channels
//	make bench-dead-provider
//
// It requires bin/convo and Linux.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands holds the benchmarks and the reference servers, which run as child processes.
type commands struct {
	Run       runCommand          `cmd:"" default:"withargs" help:"Measure and write the table."`
	Verify    verifyCommand       `cmd:"" help:"Compare the load generator with wrk."`
	Profile   profileCommand      `cmd:"" help:"Profile convo under load and print the functions that take the most."`
	Growth    growthCommand       `cmd:"" help:"Compare a small with a large workspace and write the table."`
	Webhooks  webhooksCommand     `cmd:"" help:"Measure deliveries to webhooks and write their table."`
	Neighbors neighborsCommand    `cmd:"" help:"Measure how much a greedy workspace delays deliveries of another, and write the table."`
	Channels  channelsCommand     `cmd:"" help:"Measure messages through channels to simulators of their providers and write their table."`
	Dead      deadProviderCommand `cmd:"" name:"dead-provider" help:"Measure how much a provider that does not respond delays messages of another workspace, and write the table."`
	Widget    widgetCommand       `cmd:"" help:"Measure open streams of the chat widget and write their table."`
	Plain     plainCommand        `cmd:"" help:"Deliver by batches of SKIP LOCKED."`
	River     riverCommand        `cmd:"" help:"Deliver by a River job each."`
	Floor     floorCommand        `cmd:"" help:"Serve the floor."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	parser, err := kong.New(&commands{}, kong.Name("bench"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err == nil {
		var command *kong.Context
		command, err = parser.Parse(os.Args[1:])
		parser.FatalIfErrorf(err)
		err = command.Run()
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
