package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// urlFile is the file in the data directory where convo dev writes its database URL.
const urlFile = "database-url"

// database holds the flags that select the database of a command.
type database struct {
	DatabaseURL string `env:"DATABASE_URL" help:"PostgreSQL connection URL. Multiple hosts and target_session_attrs are supported. If empty, the database of a running convo dev is used." name:"database-url"`
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
	if err := migrate(ctx, url); err != nil {
		return nil, err
	}
	return postgres.Open(ctx, url, options)
}

// migrate applies pending migrations. It has connections of its own: a migration may
// take longer than the statements of a server.
func migrate(ctx context.Context, url string) error {
	on, err := postgres.Open(ctx, url, postgres.Options{ApplicationName: migrating})
	if err != nil {
		return err
	}
	defer on.Close()
	return db.Up(ctx, on.Pool())
}
