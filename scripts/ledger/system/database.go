//go:build linux

package system

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/internal/platform/postgres/embedded"
)

const (
	databaseName  = "postgres"
	killTimeout   = 10 * time.Second
	attachTimeout = time.Minute
)

// Database is PostgreSQL: a primary and at times its standby. All parts reach it by links,
// which follow the primary.
type Database struct {
	dir         string
	addresses   [2]string // of the primary and the standby, which swap them
	generation  int       // of the clusters
	primary     *embedded.Server
	standby     *embedded.Server
	links       []*Link
	replication *Link
}

func startDatabase(ctx context.Context, dir string) (*Database, error) {
	d := &Database{dir: dir}
	for i := range d.addresses {
		var err error
		if d.addresses[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	var err error
	if d.replication, err = newLink("standby to primary", d.addresses[0]); err != nil {
		return nil, err
	}
	return d, d.start(ctx)
}

func (d *Database) start(ctx context.Context) (err error) {
	d.primary, err = embedded.Start(ctx, embedded.Options{Dir: d.clusterDir(), Port: portOf(d.addresses[0])})
	return err
}

func (d *Database) clusterDir() string {
	return filepath.Join(d.dir, "postgres-"+strconv.Itoa(d.generation))
}

// URL is the URL of the primary, without a link.
func (d *Database) URL() string { return d.primary.URL(databaseName) }

// link returns a new link to the database, and the database's URL through it.
func (d *Database) link(name string) (*Link, string, error) {
	l, err := newLink(name, d.addresses[0])
	if err != nil {
		return nil, "", err
	}
	d.links = append(d.links, l)
	address, err := through(l.Address(), d.URL())
	return l, address, err
}

// Crash kills PostgreSQL and starts it again. While it is down, all links to it are cut.
// Before they are restored, recovered is called.
func (d *Database) Crash(ctx context.Context, recovered func() error) error {
	if err := d.kill(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := recovered(); err != nil {
		return err
	}
	return d.restoreLinks()
}

func (d *Database) kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	err := d.primary.Kill(ctx)
	for _, l := range append(d.links, d.replication) {
		l.Cut()
	}
	return err
}

func (d *Database) restoreLinks() error {
	for _, l := range append(d.links, d.replication) {
		l.redirect(d.addresses[0])
		if err := l.Restore(); err != nil {
			return err
		}
	}
	return nil
}

// AttachStandby starts a standby. From then on the primary acknowledges a commit after the
// standby has stored it.
func (d *Database) AttachStandby(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	source, err := through(d.replication.Address(), d.URL())
	if err != nil {
		return err
	}
	standbyDir := filepath.Join(d.dir, "postgres-"+strconv.Itoa(d.generation+1))
	d.standby, err = embedded.Standby(ctx, d.primary, source, embedded.Options{Dir: standbyDir, Port: portOf(d.addresses[1])})
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		return fmt.Errorf("attach a standby: %w", err)
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("attach a standby: %w", err)
		}
	}
	return synchronous(ctx, conn)
}

// synchronous waits until the standby has caught up.
func synchronous(ctx context.Context, conn *pgx.Conn) error {
	const poll = 20 * time.Millisecond
	for {
		var is bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync')").Scan(&is)
		if err != nil {
			return fmt.Errorf("state of the standby: %w", err)
		}
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("state of the standby: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}

// FailOver kills the primary, promotes the standby and makes all links lead to it. Before
// they are restored, promoted is called.
func (d *Database) FailOver(ctx context.Context, promoted func() error) error {
	lost := d.clusterDir()
	if err := d.kill(ctx); err != nil {
		return err
	}
	if err := d.standby.Promote(ctx); err != nil {
		return err
	}
	d.primary, d.standby = d.standby, nil
	d.addresses[0], d.addresses[1] = d.addresses[1], d.addresses[0]
	d.generation++
	if err := os.RemoveAll(lost); err != nil {
		return fmt.Errorf("remove the lost primary: %w", err)
	}
	if err := promoted(); err != nil {
		return err
	}
	return d.restoreLinks()
}

// Freeze freezes all open connections to the database.
func (d *Database) Freeze() error {
	for _, l := range d.links {
		if err := l.Freeze(); err != nil {
			return err
		}
	}
	return nil
}

// Thaw closes all connections that were frozen.
func (d *Database) Thaw() {
	for _, l := range d.links {
		l.Thaw()
	}
}

// stop stops what runs.
func (d *Database) stop(ctx context.Context) {
	if d.standby != nil {
		_ = d.standby.Stop(ctx) // the directory is removed in any case
	}
	if d.primary != nil {
		_ = d.primary.Stop(ctx) // it may have been killed
	}
}
