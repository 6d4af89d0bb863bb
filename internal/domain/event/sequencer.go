package event

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// sequenceRows bounds the rows that one batch writes, and with it how long a batch
	// keeps events of other workspaces waiting.
	sequenceRows = 2000
	// sequenceWorkspaces bounds the workspaces of one batch.
	sequenceWorkspaces = 200
	// sequenceInterval is the time between batches, in which events collect.
	sequenceInterval = 10 * time.Millisecond
	// sequenceTimeout bounds a batch, so that a connection that no longer responds delays
	// events for seconds only.
	sequenceTimeout = 5 * time.Second
	// sequenceRetry is the wait after a database error.
	sequenceRetry = 500 * time.Millisecond
)

// Sequencer numbers events after they are committed, and creates what follows from them:
// deliveries to webhooks, audit entries and counts. The database does so in one statement
// for a batch (db/migrations, sequence_events). Any number of processes can run a
// Sequencer: they hold nothing between batches, so each replaces the others at any time.
type Sequencer struct {
	DB  *postgres.DB
	Log *slog.Logger

	after uuid.UUID // the workspace to continue after
}

// Run numbers events until ctx ends.
func (s *Sequencer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := sequenceInterval
		if more, err := s.batch(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "events not numbered; retrying", "error", err)
			wait = sequenceRetry
		} else if more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Sequence numbers all events that are committed and that no other Sequencer is numbering.
func (s *Sequencer) Sequence(ctx context.Context) error {
	for {
		if more, err := s.batch(ctx); err != nil || !more {
			return err
		}
	}
}

// batch numbers a batch of events, and reports whether to continue immediately.
func (s *Sequencer) batch(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sequenceTimeout)
	defer cancel()
	done, err := db.New().SystemEventSequence(ctx, s.DB, db.SystemEventSequenceParams{
		MostRows: sequenceRows, MostWorkspaces: sequenceWorkspaces, AfterWorkspace: s.after,
	})
	if err != nil {
		return false, fmt.Errorf("number events: %w", err)
	}
	wrapped := s.after != uuid.Nil && done.LastWorkspace == uuid.Nil
	s.after = done.LastWorkspace
	return done.Numbered > 0 && done.More || s.after != uuid.Nil || wrapped, nil
}
