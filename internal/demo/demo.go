// Package demo holds data to try the product with, and makes large workspaces
// to measure it with.
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// begin is when the story that the demo data tells begins. It is fixed, and so
// are the random numbers: the data is the same wherever it is loaded.
var begin = time.Date(2026, time.April, 1, 8, 0, 0, 0, time.UTC)

// Slug is the workspace with the rich data; beside it stands another.
const (
	Slug      = "demo"
	OtherSlug = "other"
)

// Load fills an empty database and reports whether it did: a database with any
// workspace is left alone.
func Load(ctx context.Context, on *postgres.DB) (loaded bool, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		exists, err := db.New().SystemWorkspaceExists(ctx, tx)
		if err != nil {
			return fmt.Errorf("look for workspaces: %w", err)
		}
		if exists {
			return nil
		}
		loaded = true
		s := newStory()
		shop := s.workspace(Slug, "Demo Shoes", plentiful)
		s.workspace(OtherSlug, "Other Company", modest)
		s.documented(shop)
		return s.store(ctx, tx)
	})
	return loaded, err
}

// story writes rows in memory as time goes by in it.
type story struct {
	clock  *clock.Fake
	random *rand.Rand
	ids    *id.Generator
	tables map[string]*table
	order  []string
}

type table struct {
	columns []string
	rows    [][]any
}

func newStory() *story {
	source := rand.NewChaCha8([32]byte([]byte("convo demo data, always the same")))
	c := clock.NewFake(begin)
	return &story{
		clock: c, random: rand.New(source), ids: id.NewSeeded(c, source),
		tables: map[string]*table{},
	}
}

// row adds a row; values follow the columns.
func (s *story) row(name string, columns []string, values ...any) {
	t, ok := s.tables[name]
	if !ok {
		t = &table{columns: columns}
		s.tables[name] = t
		s.order = append(s.order, name)
	}
	t.rows = append(t.rows, values)
}

// later moves time on by one to most minutes.
func (s *story) later(most int) { s.clock.Advance(time.Duration(1+s.random.IntN(most)) * time.Minute) }

func (s *story) store(ctx context.Context, tx postgres.Tx) error {
	for _, name := range s.order {
		t := s.tables[name]
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

func pick[T any](s *story, from []T) T { return from[s.random.IntN(len(from))] }

func fields(name, email, phone string) json.RawMessage {
	raw, err := json.Marshal(map[string]string{"name": name, "email": email, "phone": phone})
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return raw
}

// cast is who and what appears in a workspace.
type cast struct {
	workspaceID                       uuid.UUID
	agents, channels, operators, tags []uuid.UUID
}
