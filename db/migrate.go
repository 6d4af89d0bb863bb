// Package db holds the schema's migrations and runs them.
package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var files embed.FS

// RiverSchema is the PostgreSQL schema of the job queue's tables.
const RiverSchema = "river"

// lockID is the advisory lock that lets one process migrate at a time.
const lockID = 0x436f6e766f // "Convo"

const unlockTimeout = 5 * time.Second

// Migrations returns the migration files, named <version>_<what>.sql.
func Migrations() (fs.FS, error) {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, fmt.Errorf("embedded migrations: %w", err)
	}
	return sub, nil
}

// Up brings a database to the newest schema. Any number of processes may call it
// concurrently: one migrates, the others wait and find nothing to do.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	return locked(ctx, pool, func() error {
		return migrate(ctx, pool, func(p *goose.Provider) error {
			if _, err := p.Up(ctx); err != nil {
				return fmt.Errorf("migrate: %w", err)
			}
			return riverTo(ctx, pool, rivermigrate.DirectionUp)
		})
	})
}

// Down drops the whole schema, with all data.
func Down(ctx context.Context, pool *pgxpool.Pool) error {
	return locked(ctx, pool, func() error {
		return migrate(ctx, pool, func(p *goose.Provider) error {
			if _, err := p.DownTo(ctx, 0); err != nil {
				return fmt.Errorf("migrate down: %w", err)
			}
			return nil
		})
	})
}

// Version returns the version of the database's schema and the newest version.
func Version(ctx context.Context, pool *pgxpool.Pool) (current, newest int64, err error) {
	err = migrate(ctx, pool, func(p *goose.Provider) error {
		current, newest, err = p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("schema version: %w", err)
		}
		return nil
	})
	return current, newest, err
}

func migrate(ctx context.Context, pool *pgxpool.Pool, run func(*goose.Provider) error) error {
	migrations, err := Migrations()
	if err != nil {
		return err
	}
	conn := stdlib.OpenDBFromPool(pool)
	defer conn.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, migrations)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return run(provider)
}

func riverTo(ctx context.Context, pool *pgxpool.Pool, direction rivermigrate.Direction) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema})
	if err != nil {
		return fmt.Errorf("read the job queue's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, direction, nil); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	return nil
}

func locked(ctx context.Context, pool *pgxpool.Pool, run func() error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to migrate: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID); err != nil {
		return fmt.Errorf("lock to migrate: %w", err)
	}
	defer func() {
		// A connection that still holds the lock must not return to the pool.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", lockID); err != nil {
			_ = conn.Conn().Close(ctx)
		}
	}()
	return run()
}
