//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

// growthCommand compares the same requests on a small and on a large workspace.
type growthCommand struct {
	Scale   float64 `default:"1" help:"Size of the large workspace; 1 is 5 million leads, 2 million conversations and 1 million passages."`
	Rounds  int     `default:"200" help:"Requests of each kind to each workspace."`
	Binary  string  `default:"bin/convo" type:"path"`
	Out     string  `default:"docs/performance.md" type:"path"`
	Dir     string  `help:"Directory to keep the databases in, for another run; empty for a temporary one." type:"path"`
	Webhook int     `default:"10000" help:"Deliveries of one backlog."`
}

var (
	smallVolume = volume{leads: 10_000, conversations: 10_000, passages: 10_000}
	largeVolume = volume{leads: 5_000_000, conversations: 2_000_000, passages: 1_000_000}
)

// growthGoal is how much slower a request may be in the large workspace, at most.
const growthGoal = 1.5

func (v volume) times(factor float64) volume {
	return volume{int(float64(v.leads) * factor), int(float64(v.conversations) * factor), int(float64(v.passages) * factor)}
}

// side is one of the two workspaces, each in a database of its own, with its server.
type side struct {
	name   string
	size   volume
	url    string
	token  string
	server *server
	client *caller
	space  uuid.UUID
}

// Run implements the command.
func (c *growthCommand) Run(ctx context.Context) (err error) {
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "convo-growth-*"); err != nil {
			return fmt.Errorf("scratch directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	pg, err := embedded.Start(ctx, embedded.Options{Dir: filepath.Join(dir, "postgres"), Volatile: true})
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, pg.Stop(context.WithoutCancel(ctx))) }()
	sides := []*side{{name: "small", size: smallVolume}, {name: "large", size: largeVolume.times(c.Scale)}}
	for _, s := range sides {
		if err := s.open(ctx, pg, dir, c.Binary); s.server != nil {
			defer s.server.stop()
		} else if err != nil {
			return err
		}
	}
	rows, err := c.measure(ctx, sides)
	if err != nil {
		return err
	}
	dispatch, err := c.dispatch(ctx, dir)
	if err != nil {
		return err
	}
	text := growthMarkdown(sides, rows, c.Rounds) + "\n" + dispatch
	fmt.Println(text)
	return writeTable(c.Out, "make bench-growth", text)
}

// open creates and fills the database unless a former run has, and starts the server.
func (s *side) open(ctx context.Context, pg *embedded.Server, dir, binary string) error {
	s.url = pg.URL("growth_" + s.name)
	marker := filepath.Join(dir, s.name+fmt.Sprintf("-%d-%d-%d", s.size.leads, s.size.conversations, s.size.passages))
	if _, err := os.Stat(marker); err != nil {
		if err := s.create(ctx, pg); err != nil {
			return err
		}
		if err := os.WriteFile(marker, nil, 0o600); err != nil {
			return fmt.Errorf("mark as filled: %w", err)
		}
	}
	on, err := postgres.Open(ctx, s.url, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	if err := on.QueryRow(ctx, "SELECT id FROM workspaces WHERE slug = $1", demo.Slug).Scan(&s.space); err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	service := &token.Service{DB: on, IDs: id.NewGenerator(clock.System{}), Clock: clock.System{}}
	s.token, _, err = service.Create(ctx, on, token.NewToken{WorkspaceID: s.space, Name: "bench", Scopes: []api.Scope{
		api.ScopeLeadsRead, api.ScopeConversationsRead, api.ScopeAgentsRead, api.ScopeAnalyticsRead,
	}})
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	s.server, err = start(ctx, dir, s.name, []string{binary, "serve", "--workers=false"}, []string{
		"DATABASE_URL=" + s.url, "CONVO_ADDR=127.0.0.1:0", "CONVO_SECRET_KEY=" + strings.Repeat("ab", 32), "CONVO_STORAGE=" + dir,
	})
	return err
}

func (s *side) create(ctx context.Context, pg *embedded.Server) error {
	for _, statement := range []string{"DROP DATABASE IF EXISTS growth_" + s.name, "CREATE DATABASE growth_" + s.name} {
		if err := execute(ctx, pg.URL("postgres"), statement); err != nil {
			return fmt.Errorf("create database: %w", err)
		}
	}
	on, err := postgres.Open(ctx, s.url, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	if err := db.Up(ctx, on.Pool()); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := demo.Load(ctx, on); err != nil {
		return fmt.Errorf("demo data: %w", err)
	}
	var space uuid.UUID
	if err := on.QueryRow(ctx, "SELECT id FROM workspaces WHERE slug = $1", demo.Slug).Scan(&space); err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	progressf("filling the %s workspace", s.name)
	return fill(ctx, s.url, space, s.size)
}

func progressf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// growthRow is the result of one kind of request.
type growthRow struct {
	name  string
	keyed bool
	p50   []time.Duration // of each side
}

func (r growthRow) times() float64 { return float64(r.p50[1]) / float64(r.p50[0]) }

func growthMarkdown(sides []*side, rows []growthRow, rounds int) string {
	var b strings.Builder
	small, large := sides[0].size, sides[1].size
	fmt.Fprintf(&b, "One workspace of %d leads, %d conversations (%d messages) and %d passages, and one of %d leads, %d conversations (%d messages) and %d passages, each in its own database. ",
		small.leads, small.conversations, small.conversations*messagesEach, small.passages, large.leads, large.conversations, large.conversations*messagesEach, large.passages)
	fmt.Fprintf(&b, "Median response times of %d requests each, sent in turns over one connection. Pages have 10 rows. Goal for access by key: × ≤ %.1f.\n\n", rounds, growthGoal)
	b.WriteString("| request | small | large | × | goal |\n|---|---|---|---|---|\n")
	for _, row := range rows {
		goal := ""
		if row.keyed {
			goal = verdict(row.times() <= growthGoal)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %s |\n", row.name, milliseconds(float64(row.p50[0])), milliseconds(float64(row.p50[1])), row.times(), goal)
	}
	return b.String()
}
