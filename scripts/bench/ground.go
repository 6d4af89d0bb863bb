//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/postgres/embedded"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	sampleIDs = 2000          // IDs per workspace for single reads
	noLimit   = 1_000_000_000 // requests per minute: the limiter counts and never rejects
)

// ground is the database shared by all servers under test.
type ground struct {
	server     *embedded.Server
	on         *postgres.DB
	url        string
	dir        string
	workspaces []tenant
	space      uuid.UUID // workspace of the webhooks
	endpoints  int       // webhooks
	bell       *wake.Bell
}

type tenant struct {
	id    uuid.UUID
	token string
	ids   []string // of leads
}

func prepare(ctx context.Context, dir string, workspaces, leads int) (*ground, error) {
	server, err := embedded.Start(ctx, embedded.Options{Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	g := &ground{server: server, url: server.URL("postgres"), dir: dir}
	if g.on, err = postgres.Open(ctx, g.url, postgres.Options{}); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := db.Up(ctx, g.on.Pool()); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	for i := range workspaces {
		fmt.Fprintf(os.Stderr, "\rloading workspace %d of %d", i+1, workspaces)
		if err := g.load(ctx, i, leads); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(os.Stderr)
	if _, err := g.on.Exec(ctx, "UPDATE workspaces SET rate_limit_per_minute = $1", noLimit); err != nil {
		return nil, fmt.Errorf("lift the limits: %w", err)
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := g.on.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return g, nil
}

func (g *ground) load(ctx context.Context, i, leads int) error {
	ids := id.NewGenerator(clock.System{})
	space, err := (&workspace.Service{DB: g.on, IDs: ids}).Ensure(ctx, "bench-"+strconv.Itoa(i), "Bench")
	if err != nil {
		return fmt.Errorf("workspace: %w", err)
	}
	plaintext, _, err := (&token.Service{DB: g.on, IDs: ids, Clock: clock.System{}}).Create(ctx, g.on, token.NewToken{
		WorkspaceID: space.ID, Name: "bench", Scopes: []api.Scope{api.ScopeLeadsRead, api.ScopeLeadsWrite},
	})
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if err := demo.LoadLeads(ctx, g.on, space.ID, time.Now(), leads, func(int) {}); err != nil {
		return fmt.Errorf("leads: %w", err)
	}
	rows, err := g.on.Query(ctx, "SELECT id::text FROM leads TABLESAMPLE BERNOULLI (20) WHERE workspace_id = $1 LIMIT $2", space.ID, sampleIDs)
	if err != nil {
		return fmt.Errorf("sample ids: %w", err)
	}
	sample, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("sample ids: %w", err)
	}
	g.workspaces = append(g.workspaces, tenant{id: space.ID, token: plaintext, ids: sample})
	return nil
}

// copied returns the URL of a copy of the database. Each server has its own, so that the
// workers of one do not process what another has stored.
func (g *ground) copied(ctx context.Context, name string, then ...string) (string, error) {
	// No one else may be connected while a database is copied.
	g.on.Close()
	url := g.server.URL(name)
	admin, err := pgx.Connect(ctx, g.server.URL("template1"))
	if err != nil {
		return "", fmt.Errorf("copy: %w", err)
	}
	_, err = admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE postgres STRATEGY file_copy")
	if err := errors.Join(err, admin.Close(ctx)); err != nil {
		return "", fmt.Errorf("copy: %w", err)
	}
	if g.on, err = postgres.Open(ctx, g.url, postgres.Options{}); err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	for _, statement := range then {
		if err := execute(ctx, url, statement); err != nil {
			return "", err
		}
	}
	return url, nil
}

func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	return errors.Join(err, conn.Close(ctx))
}

func (g *ground) close(ctx context.Context) error {
	g.on.Close()
	return g.server.Stop(ctx)
}

// cpu returns the CPU time that PostgreSQL has used so far, including terminated backends.
func (g *ground) cpu() (time.Duration, error) {
	content, err := os.ReadFile(filepath.Join(g.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("PostgreSQL's pid: %w", err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	// In a user namespace, only user IDs differ; the PID in the file is the same.
	postmaster, err := strconv.Atoi(line)
	if err != nil {
		return 0, fmt.Errorf("PostgreSQL's pid: %w", err)
	}
	total, err := processCPU(postmaster, true)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		return 0, fmt.Errorf("PostgreSQL's processes: %w", err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			return 0, fmt.Errorf("PostgreSQL's processes: %w", err)
		}
		if used, err := processCPU(pid, false); err == nil { // the process may have exited
			total += used
		}
	}
	return total, nil
}
