package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

// migrating is the application_name of sessions that migrate.
const migrating = postgres.ApplicationName + " migrate"

type migrateCommand struct {
	database

	Direction string `arg:"" default:"up" enum:"up,down,status" help:"up applies all pending migrations, down reverts all migrations and deletes all data, status prints the schema version."`
	Yes       bool   `help:"Delete all data without asking."`
}

// Run implements the command.
func (c *migrateCommand) Run(ctx context.Context) error {
	url, err := c.url()
	if err != nil {
		return err
	}
	direct, err := c.direct(ctx, url)
	if err != nil {
		return err
	}
	on, err := postgres.Open(ctx, cmp.Or(direct, url), postgres.Options{ApplicationName: migrating, StatementTimeout: migrationTimeout})
	if err != nil {
		return err
	}
	defer on.Close()
	switch c.Direction {
	case "up":
		err = db.Up(ctx, on.Pool())
	case "down":
		err = c.down(ctx, on)
	}
	if err != nil {
		return err
	}
	current, newest, err := db.Version(ctx, on.Pool())
	if err != nil {
		return err
	}
	fmt.Printf("schema version %d of %d\n", current, newest)
	return nil
}

func (c *migrateCommand) down(ctx context.Context, on *postgres.DB) error {
	if !c.Yes {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return errors.New("migrate down deletes all data: confirm with --yes, or run it in a terminal")
		}
		if err := confirm(os.Stdin, os.Stdout, on.Pool().Config().ConnConfig.Database); err != nil {
			return err
		}
	}
	sessions, err := on.Sessions(ctx, postgres.ApplicationName)
	if err != nil {
		return err
	}
	if sessions > 0 {
		return fmt.Errorf("migrate down deletes all data, but servers or workers are connected with %d sessions: stop them first", sessions)
	}
	return db.Down(ctx, on.Pool())
}

// confirm asks for the name of the database whose data will be deleted.
func confirm(in io.Reader, out io.Writer, database string) error {
	fmt.Fprintf(out, "This deletes all data in the database %q. Type its name to continue: ", database)
	typed, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("confirm: %w", err)
	}
	if strings.TrimSpace(typed) != database {
		return errors.New("not confirmed: nothing was deleted")
	}
	return nil
}
