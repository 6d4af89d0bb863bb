//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
)

// webhooksCommand measures webhook delivery against two references.
type webhooksCommand struct {
	Rounds     int    `default:"7" help:"Rounds of the backlog."`
	Deliveries int    `default:"20000" help:"Deliveries of one backlog."`
	Binary     string `default:"bin/convo" type:"path"`
	Out        string `default:"docs/webhooks.md" type:"path"`
}

const (
	endpoints    = 10
	steadyRate   = 200 // events per second
	steadyTime   = 20 * time.Second
	backlogLimit = 2 * time.Minute

	unnumbered = "SELECT count(*) FROM event_outbox"
)

// deliverer is a dispatcher under test.
type deliverer struct {
	*server

	load func(ctx context.Context, g *ground, s *sink, n int) error
	left string // query that counts unacknowledged deliveries
}

// Run implements the command.
func (c *webhooksCommand) Run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "convo-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ground, err := prepare(ctx, filepath.Join(dir, "postgres"), 1, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ground.close(ctx)) }()
	s, err := openSink(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := ground.prepareWebhooks(ctx, s, endpoints); err != nil {
		return err
	}
	contestants, err := c.start(ctx, dir, ground)
	defer func() {
		for _, d := range contestants {
			d.stop()
		}
	}()
	if err != nil {
		return err
	}
	r := &webhookResults{cells: map[string][]cell{}}
	if err := c.backlogs(ctx, r, ground, s, contestants); err != nil {
		return err
	}
	ours := contestants[0]
	if err := c.hanging(ctx, r, ground, s, ours); err != nil {
		return err
	}
	if r.lags, err = steady(ctx, ground, s); err != nil {
		return err
	}
	r.memory = ours.memory()
	table := r.markdown(c)
	fmt.Println(table)
	return writeTable(c.Out, "make bench-webhooks", table)
}

func (c *webhooksCommand) start(ctx context.Context, dir string, g *ground) (all []*deliverer, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own path: %w", err)
	}
	ours, err := startWorker(ctx, dir, g, c.Binary)
	if err != nil {
		return nil, err
	}
	all = append(all, ours)
	for _, one := range []struct {
		name string
		load func(context.Context, *ground, *sink, int) error
		left string
	}{
		{"plain", loadPlain, "SELECT count(*) FROM bench_queue"},
		{"river", loadRiver, "SELECT count(*) FROM river.river_job WHERE queue = 'bench' AND state <> 'completed'"},
	} {
		s, err := start(ctx, dir, one.name, []string{self, one.name}, []string{"DATABASE_URL=" + g.url, "CONVO_DATABASE_CONNS=8"})
		if s != nil {
			all = append(all, &deliverer{server: s, load: one.load, left: one.left})
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// startWorker starts convo's dispatcher.
func startWorker(ctx context.Context, dir string, g *ground, binary string) (*deliverer, error) {
	s, err := start(ctx, dir, "convo", []string{binary, "work"}, []string{
		"DATABASE_URL=" + g.url, "CONVO_DATABASE_CONNS=8", "CONVO_ADDR=127.0.0.1:0", "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32),
		"CONVO_ALLOWED_TARGETS=127.0.0.0/8", "CONVO_STORAGE=" + dir,
	})
	if err != nil {
		if s != nil {
			s.stop()
		}
		return nil, err
	}
	return &deliverer{server: s, load: loadEvents, left: "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING'"}, nil
}

// backlogs gives each dispatcher the same backlog in turn.
func (c *webhooksCommand) backlogs(ctx context.Context, r *webhookResults, g *ground, s *sink, contestants []*deliverer) error {
	for round := -1; round < c.Rounds; round++ { // the first round is a warm-up
		for i := range contestants {
			d := contestants[(i+max(round, 0))%len(contestants)]
			cell, err := d.deliver(ctx, g, s, c.Deliveries)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			if round >= 0 {
				r.cells[d.name] = append(r.cells[d.name], cell)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, c.Rounds)
	}
	return nil
}

// deliver commits a backlog in one transaction, and waits until the sink has received it
// and the dispatcher has acknowledged it.
func (d *deliverer) deliver(ctx context.Context, g *ground, s *sink, n int) (cell, error) {
	s.reset()
	// Fresh statistics: without them the plan of River's query is a hundred times slower.
	if _, err := g.on.Exec(ctx, "VACUUM ANALYZE", pgx.QueryExecModeSimpleProtocol); err != nil {
		return cell{}, fmt.Errorf("vacuum: %w", err)
	}
	before, err := measureCPU(g, d.server)
	if err != nil {
		return cell{}, err
	}
	if err := d.load(ctx, g, s, n); err != nil {
		return cell{}, err
	}
	loaded, err := g.cpu() // exclude PostgreSQL's CPU time for loading
	if err != nil {
		return cell{}, err
	}
	started := time.Now()
	if err := s.wait(ctx, n); err != nil {
		return cell{}, err
	}
	if err := g.waitUntilNone(ctx, d.left); err != nil {
		return cell{}, err
	}
	elapsed := time.Since(started)
	after, err := measureCPU(g, d.server)
	if err != nil {
		return cell{}, err
	}
	return cell{
		rate: float64(n) / elapsed.Seconds(), cpu: float64((after.own - before.own).Microseconds()) / float64(n),
		postgres: float64((after.postgres - loaded).Microseconds()) / float64(n),
	}, nil
}

func (g *ground) waitUntilNone(ctx context.Context, query string) error {
	return waitUntil(ctx, backlogLimit, func(ctx context.Context) (bool, error) {
		var left int
		if err := g.on.QueryRow(ctx, query).Scan(&left); err != nil {
			return false, fmt.Errorf("count remaining deliveries: %w", err)
		}
		return left == 0, nil
	})
}

// prepareWebhooks subscribes the sink once per endpoint.
func (g *ground) prepareWebhooks(ctx context.Context, s *sink, endpoints int) error {
	g.endpoints, g.bell = endpoints, wake.NewBell()
	go g.bell.Notify(ctx, g.on, slog.New(slog.DiscardHandler))
	if err := g.on.QueryRow(ctx, "SELECT id FROM workspaces").Scan(&g.space); err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	for i := range g.endpoints {
		if err := g.subscribe(ctx, g.space, s.url(i), kind(i)); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		"CREATE TABLE bench_queue (id bigserial PRIMARY KEY, url text NOT NULL, event uuid NOT NULL, body text NOT NULL)",
	} {
		if _, err := g.on.Exec(ctx, statement); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return nil
}

// subscribe creates a webhook.
func (g *ground) subscribe(ctx context.Context, space uuid.UUID, url, kind string) error {
	box, err := seal.New([]byte(strings.Repeat("\xab", 32)), "webhook secrets")
	if err != nil {
		return err
	}
	hook, now := id.NewGenerator(clock.System{}).New()
	_, err = db.New().IntegrationCreateWebhook(ctx, g.on, db.IntegrationCreateWebhookParams{
		WorkspaceID: space, ID: hook, URL: url, Events: []string{kind}, CreatedAt: now,
		Secret: box.Seal(signature.NewSecret(), sender.SecretContext(space, hook)),
	})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// kind is the event type of an endpoint. Each endpoint has its own, so that a backlog is
// distributed evenly.
func kind(endpoint int) string { return fmt.Sprintf("bench.%d", endpoint) }

const payload = `{"lead":{"id":"019684aa-5e00-7c3a-9f21-6a0b5f1d2e01","status":"NEW","fields":` +
	`{"name":"Anna Nowak","email":"anna@example.com","phone":"+48 111 222 333"},"score":null,"source":"external-form",` +
	`"conversationId":null,"crmExternalId":null,"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.000Z"}}`

// loadEvents commits events for all endpoints, and their deliveries in the same
// transaction: they are part of the backlog, as jobs are for the other dispatchers.
func loadEvents(ctx context.Context, g *ground, _ *sink, n int) error {
	err := postgres.WithTx(ctx, g.on, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at)
			SELECT $1, gen_random_uuid(), 'bench.' || i % $2::int, $3::json, now() FROM generate_series(1, $4::int) AS i`, g.space, g.endpoints, payload, n)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "SELECT sequence_events($1, 1, '00000000-0000-0000-0000-000000000000')", n*(g.endpoints+1))
		return err
	})
	if err != nil {
		return fmt.Errorf("load events: %w", err)
	}
	g.bell.RingNow(wake.Deliveries)
	return nil
}

// commit commits one event.
func (g *ground) commit(ctx context.Context, event uuid.UUID, kind string) error {
	_, err := g.on.Exec(ctx, "INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at) VALUES ($1, $2, $3, $4, now())", g.space, event, kind, payload)
	if err != nil {
		return fmt.Errorf("commit event: %w", err)
	}
	g.bell.RingNow(wake.Events) // as a server without workers does
	return nil
}

// hanging compares the rate of nine endpoints next to a healthy tenth with the rate next
// to one that never responds.
func (c *webhooksCommand) hanging(ctx context.Context, r *webhookResults, g *ground, s *sink, ours *deliverer) error {
	for range c.Rounds {
		for _, hangs := range []bool{false, true} {
			s.reset()
			s.hang(map[bool]string{true: hangingPath}[hangs])
			if err := ours.load(ctx, g, s, c.Deliveries); err != nil {
				return err
			}
			started := time.Now()
			others := c.Deliveries / endpoints * (endpoints - 1)
			if err := s.waitOthers(ctx, others); err != nil {
				return err
			}
			rate := float64(others) / time.Since(started).Seconds()
			if hangs {
				r.beside = append(r.beside, rate)
			} else {
				r.healthy = append(r.healthy, rate)
			}
			s.hang("")
			if err := g.clearDeliveries(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearDeliveries waits until all events are numbered and no delivery is leased, and deletes
// those that are due, so that what is measured next finds neither work nor deleted rows. The
// others stay, as they do for some time in a real database.
func (g *ground) clearDeliveries(ctx context.Context) error {
	if err := g.waitUntilNone(ctx, unnumbered); err != nil {
		return err
	}
	if err := g.waitUntilNone(ctx, "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING' AND leased_until > now()"); err != nil {
		return err
	}
	for _, statement := range []string{
		"DELETE FROM webhook_deliveries WHERE status = 'PENDING'",
		"VACUUM (ANALYZE) webhook_deliveries, event_outbox, events",
		"UPDATE integrations SET failures = 0, failing_since = NULL, paused_until = NULL, status = 'CONNECTED'",
	} {
		if _, err := g.on.Exec(ctx, statement); err != nil {
			return fmt.Errorf("clear: %w", err)
		}
	}
	return nil
}

// steady commits events at a steady rate and returns the sorted times from commit to first
// attempt.
func steady(ctx context.Context, g *ground, s *sink) ([]time.Duration, error) {
	s.reset()
	end := time.Now().Add(steadyTime)
	committed, err := g.commitSteadily(ctx, func() bool { return time.Now().Before(end) })
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, len(committed)); err != nil {
		return nil, err
	}
	return s.lags(committed), nil
}

// commitSteadily commits events at a steady rate for some time, and returns when each was
// committed.
func (g *ground) commitSteadily(ctx context.Context, more func() bool) (map[uuid.UUID]time.Time, error) {
	committed := map[uuid.UUID]time.Time{}
	interval := time.Second / steadyRate
	for at := time.Now(); more() && ctx.Err() == nil; at = at.Add(interval) {
		time.Sleep(time.Until(at))
		event := uuid.New()
		if err := g.commit(ctx, event, kind(len(committed)%g.endpoints)); err != nil {
			return nil, err
		}
		committed[event] = time.Now()
	}
	return committed, nil
}

// webhookResults holds the measurements.
type webhookResults struct {
	cells           map[string][]cell
	healthy, beside []float64
	lags            []time.Duration
	memory          memory
}

func (r *webhookResults) markdown(c *webhooksCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d interleaved rounds. Each round delivers a backlog of %d events to %d endpoints of a receiver on the same machine.\n\n", c.Rounds, c.Deliveries, endpoints)
	b.WriteString("| dispatcher | deliveries/s | CPU µs/delivery | PostgreSQL µs/delivery | deliveries/s × river | CPU × river |\n|---|---|---|---|---|---|\n")
	for _, name := range []string{"convo", "plain", "river"} {
		cells, rivers := r.cells[name], r.cells["river"]
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %.2f | %.2f |\n", name,
			median(cells, func(i int) float64 { return cells[i].rate }),
			median(cells, func(i int) float64 { return cells[i].cpu }),
			median(cells, func(i int) float64 { return cells[i].postgres }),
			median(cells, func(i int) float64 { return cells[i].rate / rivers[i].rate }),
			median(cells, func(i int) float64 { return cells[i].cpu / rivers[i].cpu }))
	}
	fmt.Fprintf(&b, "\n- Peak memory of `convo work`: %s.\n", r.memory)
	fmt.Fprintf(&b, "- From commit to the first attempt at %d events/s: p50 %s, p99 %s.\n", steadyRate,
		milliseconds(float64(quantile(r.lags, 0.5))), milliseconds(float64(quantile(r.lags, 0.99))))
	fmt.Fprintf(&b, "- Nine endpoints next to a healthy tenth: %.0f deliveries/s; next to one that hangs: %.0f (× %.2f).\n",
		median(r.healthy, func(i int) float64 { return r.healthy[i] }), median(r.beside, func(i int) float64 { return r.beside[i] }),
		median(r.beside, func(i int) float64 { return r.beside[i] / r.healthy[i] }))
	return b.String()
}
