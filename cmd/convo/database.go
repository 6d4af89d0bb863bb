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

// urlFile is where `convo dev` writes its database's URL.
const urlFile = "database-url"

// database says which database a command works on.
type database struct {
	DatabaseURL string `env:"DATABASE_URL" help:"PostgreSQL to use. When empty, that of a running convo dev." name:"database-url"`
	DataDir     string `default:".convo" env:"CONVO_DATA_DIR" help:"Where convo dev keeps its data." type:"path"`
}

func (d database) url() (string, error) {
	if d.DatabaseURL != "" {
		return d.DatabaseURL, nil
	}
	kept, err := os.ReadFile(filepath.Join(d.DataDir, urlFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("DATABASE_URL is not set, and no convo dev runs in %s", d.DataDir)
	} else if err != nil {
		return "", fmt.Errorf("database URL: %w", err)
	}
	return strings.TrimSpace(string(kept)), nil
}

// open connects, and brings the schema up to date.
func (d database) open(ctx context.Context, options postgres.Options) (*postgres.DB, error) {
	url, err := d.url()
	if err != nil {
		return nil, err
	}
	on, err := postgres.Open(ctx, url, options)
	if err != nil {
		return nil, err
	}
	if err := db.Up(ctx, on.Pool()); err != nil {
		on.Close()
		return nil, err
	}
	return on, nil
}
