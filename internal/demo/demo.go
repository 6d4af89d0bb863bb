// Package demo generates demo data, and large workspaces for benchmarks.
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

// begin is the time of the first row. The time and the random seed are fixed, so the data
// is the same wherever it is loaded.
var begin = time.Date(2026, time.April, 1, 8, 0, 0, 0, time.UTC)

// Slug is the slug of the workspace with most of the data. OtherSlug is a second one.
const (
	Slug      = "demo"
	OtherSlug = "other"
)

// Load loads the demo data into an empty database and reports whether it did. It does
// nothing if the database has any workspace.
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
		if err := s.store(ctx, tx); err != nil {
			return err
		}
		return s.knowledge(ctx, tx, shop)
	})
	return loaded, err
}

// story collects rows in memory with advancing timestamps.
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

// row adds a row with values in column order.
func (s *story) row(name string, columns []string, values ...any) {
	t, ok := s.tables[name]
	if !ok {
		t = &table{columns: columns}
		s.tables[name] = t
		s.order = append(s.order, name)
	}
	t.rows = append(t.rows, values)
}

// later advances the time by 1 to most minutes.
func (s *story) later(most int) { s.clock.Advance(time.Duration(1+s.random.IntN(most)) * time.Minute) }

func (s *story) store(ctx context.Context, tx postgres.Tx) error {
	for _, name := range s.order {
		t := s.tables[name]
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{name}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	if err := db.New().SystemAnalyticsRebuild(ctx, tx); err != nil {
		return fmt.Errorf("count for analytics: %w", err)
	}
	return nil
}

func pick[T any](s *story, from []T) T { return from[s.random.IntN(len(from))] }

func fields(name, email, phone string) json.RawMessage {
	raw, err := json.Marshal(map[string]string{"name": name, "email": email, "phone": phone})
	if err != nil {
		panic(err) // unreachable: a map of strings always marshals
	}
	return raw
}

// cast holds the operators, agents, channels and tags of a workspace.
type cast struct {
	workspaceID                       uuid.UUID
	agents, channels, operators, tags []uuid.UUID
	types                             map[uuid.UUID]api.ChannelType // of channels
	// repliable are the channels in which operators can reply however long ago the contact wrote.
	repliable []uuid.UUID
}
