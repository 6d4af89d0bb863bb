package event

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
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
	// Wake is sent when events are committed. Without it, they are found after Poll.
	Wake wake.Signal
	Poll time.Duration
	// Bell wakes those who send deliveries.
	Bell *wake.Bell

	after uuid.UUID // the workspace to continue after
}

// Run numbers events until ctx ends.
func (s *Sequencer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := s.batch(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.Log.WarnContext(ctx, "events not numbered; retrying", "error", err)
			wake.Sleep(ctx, sequenceRetry)
		case next == immediately:
		case next == shortly:
			wake.Sleep(ctx, sequenceInterval)
		case next == whenWoken:
			wake.Sleep(ctx, sequenceInterval)
			s.Wake.Wait(ctx, s.Poll)
		}
	}
}

// Sequence numbers all events that are committed and that no other Sequencer is numbering.
func (s *Sequencer) Sequence(ctx context.Context) error {
	for next := immediately; next == immediately; {
		var err error
		if next, err = s.batch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// schedule is when to number the next batch.
type schedule int

const (
	immediately schedule = iota // more events are waiting
	shortly                     // another session holds workspaces with events
	whenWoken                   // no events are waiting
)

// batch numbers a batch of events.
func (s *Sequencer) batch(ctx context.Context) (next schedule, err error) {
	ctx, cancel := context.WithTimeout(ctx, sequenceTimeout)
	defer cancel()
	done, err := db.New().SystemEventSequence(ctx, s.DB, db.SystemEventSequenceParams{
		MostRows: sequenceRows, MostWorkspaces: sequenceWorkspaces, AfterWorkspace: s.after,
	})
	if err != nil {
		return whenWoken, fmt.Errorf("number events: %w", err)
	}
	if done.Delivered > 0 {
		s.Bell.RingNow(wake.Deliveries)
	}
	// Workspaces before s.after are visited last.
	around := s.after != uuid.Nil || done.LastWorkspace != uuid.Nil
	s.after = done.LastWorkspace
	switch {
	case around || done.More && done.Numbered > 0:
		return immediately, nil
	case done.More:
		return shortly, nil
	}
	return whenWoken, nil
}
