package main

import (
	"context"
	"fmt"

	"github.com/avelto/convo/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

type migrateCommand struct {
	database

	Direction string `arg:"" default:"up" enum:"up,down,status" help:"up applies all pending migrations, down reverts all migrations and deletes all data, status prints the schema version."`
}

// Run implements the command.
func (c *migrateCommand) Run(ctx context.Context) error {
	url, err := c.url()
	if err != nil {
		return err
	}
	on, err := postgres.Open(ctx, url, postgres.Options{})
	if err != nil {
		return err
	}
	defer on.Close()
	switch c.Direction {
	case "up":
		err = db.Up(ctx, on.Pool())
	case "down":
		err = db.Down(ctx, on.Pool())
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
