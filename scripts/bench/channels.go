//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/wake"
)

// channelsCommand measures messages to contacts through ten channels, each to a simulator of its
// provider.
type channelsCommand struct {
	Rate     int           `default:"500" help:"Messages per second, of all channels."`
	Duration time.Duration `default:"40s" help:"How long messages are queued."`
	Binary   string        `default:"bin/convo" type:"path"`
	Out      string        `default:"docs/channels.md" type:"path"`
}

const (
	fullRate = 500 // the sum of all shares
	// offerEvery is how often messages are queued.
	offerEvery = 20 * time.Millisecond
	// perConversation is the seconds between two messages of a conversation: providers allow one
	// a second.
	perConversation = 2
	// sentLimit is how long messages may take that were queued last.
	sentLimit = 30 * time.Second
)

// route is a channel of the benchmark, with its share of the messages per second.
type route struct {
	kind     api.ChannelType
	share    int
	provider string // its limit
	contact  string // what the IDs of its contacts begin with
}

var routes = []route{
	{api.ChannelTypeTELEGRAM, 25, telegramLimit, ""},
	{api.ChannelTypeTELEGRAM, 25, telegramLimit, ""},
	{api.ChannelTypeWHATSAPP, 40, whatsAppLimit, "4850"},
	{api.ChannelTypeWHATSAPP, 40, whatsAppLimit, "4850"},
	{api.ChannelTypeMESSENGER, 120, "300/s", "7"},
	{api.ChannelTypeMESSENGER, 120, "300/s", "7"},
	{api.ChannelTypeVIBER, 80, "100/h to a contact that does not reply", "viber-"},
	{api.ChannelTypeDISCORD, 35, "50/s, 5 in 5 s to a channel", "9"},
	{api.ChannelTypeSMS, 10, "10/s (short code), 1/s to a contact", "+4850"},
	{api.ChannelTypeSLACK, 5, "several hundred/min, 1/s to a channel", "D0"},
}

const (
	telegramLimit = "30/s, 1/s to a chat"
	whatsAppLimit = "45/s, 1 in 6 s to a contact after a burst of 45"
)

// channelResults are the results of a run.
type channelResults struct {
	offered, arrived, doubled, disordered int
	conversations                         int
	stored                                map[string]int // messages by status
	ages                                  []time.Duration
	offering, arriving                    time.Duration
	cpu                                   used
}

// Run implements the command.
func (c *channelsCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	g, err := prepare(ctx, filepath.Join(dir, "postgres"), 1, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	g.bell = wake.NewBell()
	go g.bell.Notify(ctx, g.on, slog.New(slog.DiscardHandler))
	p, err := openProviders(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	q, err := connectRoutes(ctx, g, p, c.Rate)
	if err != nil {
		return err
	}
	ours, err := startWorker(ctx, dir, g, c.Binary)
	if err != nil {
		return err
	}
	defer ours.stop()
	r, err := c.measure(ctx, g, ours.server, p, q)
	if err != nil {
		return err
	}
	table := r.markdown(c)
	fmt.Println(table)
	return writeTable(c.Out, "make bench-channels", table)
}

// measure queues messages at the rate, and waits until they have arrived.
func (c *channelsCommand) measure(ctx context.Context, g *ground, s *server, p *providers, q *queue) (*channelResults, error) {
	time.Sleep(settleTime)
	before, err := measureCPU(g, s)
	if err != nil {
		return nil, err
	}
	p.begin(c.Rate * int(c.Duration.Seconds()+1))
	r := &channelResults{conversations: q.conversations()}
	due, err := q.offer(ctx, p.started, c.Duration)
	if err != nil {
		return nil, err
	}
	r.offered, r.offering = len(due), time.Since(p.started)
	for deadline := time.Now().Add(sentLimit); p.count() < len(due) && time.Now().Before(deadline); {
		time.Sleep(settleTime / 10)
	}
	after, err := measureCPU(g, s)
	if err != nil {
		return nil, err
	}
	r.cpu = used{after.own - before.own, after.postgres - before.postgres}
	p.result(r, due)
	time.Sleep(settleTime) // the outcomes of the last ones are being stored
	r.stored, err = q.statuses(ctx)
	return r, err
}

// markdown returns the table of the report.
func (r *channelResults) markdown(c *channelsCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Messages were queued for %s in %d conversations. PostgreSQL, the worker and the simulators shared the machine; the worker is a process of its own.\n\n", c.Duration, r.conversations)
	b.WriteString("| Channel | Messages per second | Limit of the provider |\n|---|---|---|\n")
	for _, one := range routes {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", one.kind, one.share*c.Rate/fullRate, one.provider)
	}
	sent := r.stored["SENT"]
	delivered := float64(r.arrived) / r.arriving.Seconds()
	b.WriteString("\n| Measured | Result | Goal | |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| Queued per second | %.0f | %d | |\n", float64(r.offered)/r.offering.Seconds(), c.Rate)
	fmt.Fprintf(&b, "| Accepted by the simulators per second, from the first to the last | %.0f | ≥ %d | %s |\n", delivered, c.Rate, verdict(delivered >= 0.99*float64(c.Rate)))
	fmt.Fprintf(&b, "| From the time a message is queued until it is accepted, p50 | %s | | |\n", milliseconds(float64(quantile(r.ages, 0.5))))
	fmt.Fprintf(&b, "| From the time a message is queued until it is accepted, p99 | %s | | |\n", milliseconds(float64(quantile(r.ages, 0.99))))
	fmt.Fprintf(&b, "| Messages queued, and with the status `SENT` at the end | %d and %d | equal | %s |\n", r.offered, sent, verdict(r.offered == sent))
	fmt.Fprintf(&b, "| Messages that did not arrive | %d | 0 | %s |\n", r.offered-r.arrived, verdict(r.offered == r.arrived))
	fmt.Fprintf(&b, "| Messages that arrived twice | %d | 0 | %s |\n", r.doubled, verdict(r.doubled == 0))
	fmt.Fprintf(&b, "| Messages that arrived before an earlier one of their conversation | %d | 0 | %s |\n", r.disordered, verdict(r.disordered == 0))
	seconds := r.arriving.Seconds()
	fmt.Fprintf(&b, "| CPU time of the worker and of PostgreSQL, in cores | %.2f and %.2f | | |\n", r.cpu.own.Seconds()/seconds, r.cpu.postgres.Seconds()/seconds)
	return b.String()
}

// result notes what has arrived of the messages that were due at these times.
func (p *providers) result(r *channelResults, due []time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first, last := time.Duration(0), time.Duration(0)
	for n, at := range due {
		arrived := p.arrived[n]
		if arrived == 0 {
			continue
		}
		if first == 0 || arrived < first {
			first = arrived
		}
		last = max(last, arrived)
		r.ages = append(r.ages, arrived-at)
	}
	slices.Sort(r.ages)
	r.arrived, r.doubled, r.disordered, r.arriving = len(r.ages), p.doubled, p.disordered, last-first
}
