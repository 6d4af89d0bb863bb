package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// urlFile is the file in the data directory where convo dev writes its database URL.
const urlFile = "database-url"

const (
	// commandTimeout bounds each statement of a command, also one that loads many rows.
	commandTimeout = time.Minute
	// migrationTimeout bounds each statement of a migration, which may build an index.
	migrationTimeout = time.Hour
)

// database holds the flags that select the database of a command.
type database struct {
	DatabaseURL string `env:"DATABASE_URL" help:"PostgreSQL connection URL. Multiple hosts and target_session_attrs are supported. If empty, the database of a running convo dev is used." name:"database-url"`
	DirectURL   string `env:"CONVO_DATABASE_DIRECT_URL" help:"URL of PostgreSQL itself, if DATABASE_URL is that of a connection pooler in transaction mode. Used for migrations, jobs and LISTEN." name:"database-direct-url"`
	Pooler      string `default:"auto" enum:"auto,none,transaction" env:"CONVO_DATABASE_POOLER" help:"Connection pooler at DATABASE_URL: none (also one that pools sessions), transaction (PgBouncer's transaction mode), or auto to detect one at start, which is then taken to pool transactions." name:"database-pooler"`
	DataDir     string `default:".convo" env:"CONVO_DATA_DIR" help:"Directory in which convo dev stores its data." type:"path"`
}

func (d database) url() (string, error) {
	if d.DatabaseURL != "" {
		return d.DatabaseURL, nil
	}
	kept, err := os.ReadFile(filepath.Join(d.DataDir, urlFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("DATABASE_URL is not set, and no convo dev is running with data in %s", d.DataDir)
	} else if err != nil {
		return "", fmt.Errorf("read database URL: %w", err)
	}
	return strings.TrimSpace(string(kept)), nil
}

// open connects to the database and applies pending migrations.
func (d database) open(ctx context.Context, options postgres.Options) (*postgres.DB, error) {
	url, err := d.url()
	if err != nil {
		return nil, err
	}
	options.StatementTimeout = cmp.Or(options.StatementTimeout, commandTimeout)
	if options.DirectURL, err = d.direct(ctx, url); err != nil {
		return nil, err
	}
	if err := migrate(ctx, cmp.Or(options.DirectURL, url)); err != nil {
		return nil, err
	}
	return postgres.Open(ctx, url, options)
}

// direct returns the URL of PostgreSQL itself if url is that of a pooler, else "".
func (d database) direct(ctx context.Context, url string) (string, error) {
	pooled := d.Pooler == "transaction"
	if d.Pooler == "auto" {
		var err error
		if pooled, err = postgres.Pooled(ctx, url); err != nil {
			return "", err
		}
	}
	if pooled && d.DirectURL == "" {
		return "", errors.New("DATABASE_URL is that of a connection pooler: set CONVO_DATABASE_DIRECT_URL to the URL of PostgreSQL itself, " +
			"for migrations, jobs and LISTEN; or CONVO_DATABASE_POOLER=none if the pooler keeps a session for each connection")
	}
	if !pooled {
		return "", nil
	}
	return d.DirectURL, nil
}

// migrate applies pending migrations. It has connections of its own: a migration may
// take longer than the statements of a server.
func migrate(ctx context.Context, url string) error {
	on, err := postgres.Open(ctx, url, postgres.Options{ApplicationName: migrating, StatementTimeout: migrationTimeout})
	if err != nil {
		return err
	}
	defer on.Close()
	return db.Up(ctx, on.Pool())
}
