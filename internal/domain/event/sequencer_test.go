package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// sequence starts a number of sequencers on a pool, which stop at the end of the test.
func (w *world) sequence(t *testing.T, on *postgres.DB, sequencers int) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for range sequencers {
		running.Go(func() { (&event.Sequencer{DB: on, Log: slog.New(slog.DiscardHandler)}).Run(ctx) })
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// read polls the feed, with a page size, until it has seen a number of events: each time
// it asks for what comes after the last number that it has seen.
func (w *world) read(t *testing.T, space uuid.UUID, total int, page int32) (seen []db.Event) {
	t.Helper()
	require.Eventually(t, func() bool {
		var after int64
		if len(seen) > 0 {
			after = seen[len(seen)-1].Sequence
		}
		rows, latest, err := w.feed.After(t.Context(), space, has(api.ScopeLeadsRead, api.ScopeConversationsRead), after, page)
		require.NoError(t, err)
		require.GreaterOrEqual(t, latest, after)
		seen = append(seen, rows...)
		return len(seen) >= total
	}, time.Minute, time.Millisecond)
	return seen
}

// counter is a lead that counts its own changes.
type counter struct {
	*world

	leads *lead.Service
	id    uuid.UUID
}

func newCounter(t *testing.T, w *world) *counter {
	t.Helper()
	c := &counter{world: w, leads: &lead.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Events: w.Recorder}}
	row, err := c.leads.Create(t.Context(), w.DB, w.Ours, lead.NewLead{Fields: []byte(`{"n":"0"}`)})
	require.NoError(t, err)
	c.id = row.ID
	return c
}

// increment changes the lead in a transaction that then fails with err.
func (c *counter) increment(ctx context.Context, err error) error {
	return postgres.WithTx(ctx, c.DB, func(ctx context.Context, tx postgres.Tx) error {
		row, e := db.New().LeadLock(ctx, tx, db.LeadLockParams{WorkspaceID: c.Ours, ID: c.id})
		if e != nil {
			return e
		}
		n, e := counted(row.Fields)
		if e != nil {
			return e
		}
		_, e = c.leads.Update(ctx, tx, c.Ours, c.id, lead.Change{Fields: fmt.Appendf(nil, `{"n":"%d"}`, n+1)})
		return errors.Join(e, err)
	})
}

func counted(fields []byte) (int, error) {
	var values map[string]string
	if err := json.Unmarshal(fields, &values); err != nil {
		return 0, err
	}
	return strconv.Atoi(values["n"])
}

// TestSequencesHaveNoGapsUnderConcurrentWriters changes one lead in many transactions, of
// which every third is rolled back, while several sequencers run and a reader polls. The
// reader misses no event, and sees those of the lead in the order of their commits.
func TestSequencesHaveNoGapsUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	c := newCounter(t, newWorld(t))
	c.sequence(t, c.DB, 3)
	const writers, each = 8, 15
	undone := errors.New("undone")
	var all sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if i%3 < 2 {
					errs[w] = errors.Join(errs[w], c.increment(t.Context(), nil))
				} else if err := c.increment(t.Context(), undone); !errors.Is(err, undone) {
					errs[w] = errors.Join(errs[w], err, errors.New("was not rolled back"))
				}
			}
		})
	}
	seen := c.read(t, c.Ours, 1+writers*each*2/3, 7)
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Len(t, seen, 1+writers*each*2/3)
	for i, row := range seen {
		require.Equal(t, int64(i+1), row.Sequence)
		data := seed.Read[struct{ Lead api.Lead }](t, seed.Event{Data: row.Data})
		n, err := counted(data.Lead.Fields)
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
}

// TestAnOpenTransactionDelaysNoOther leaves a transaction open that has recorded an event.
// Other events of its workspace are numbered meanwhile, and its own once it commits.
func TestAnOpenTransactionDelaysNoOther(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	err := postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		if err := f.Recorder.Record(ctx, tx, f.Ours, f.Clock.Now(), event.WebhookPing{}); err != nil {
			return err
		}
		require.NoError(t, f.record(ctx, f.Ours, api.EventTypeLeadUpdated))
		require.Len(t, f.Events(t, f.Ours), 1)
		return nil
	})
	require.NoError(t, err)
	events := f.Events(t, f.Ours)
	require.Len(t, events, 2)
	require.Equal(t, api.EventTypeLeadUpdated, events[0].Type)
	require.Equal(t, api.EventTypeWebhookPing, events[1].Type)
}

// TestABacklogDelaysNoOtherWorkspace gives one workspace many events, and another one.
func TestABacklogDelaysNoOtherWorkspace(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	const backlog = 10_000
	f.Exec(t, `INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at)
		SELECT $1, gen_random_uuid(), 'lead.created', '{}', now() FROM generate_series(1, $2)`, f.Ours, backlog)
	for range 100 {
		f.webhook(t, f.Ours, api.EventTypeLeadCreated)
	}
	require.NoError(t, f.record(t.Context(), f.Theirs, api.EventTypeLeadCreated))
	var numbered, delivered int
	var more bool
	sequence := func(rows, workspaces int, after uuid.UUID) (last uuid.UUID) {
		f.Scan(t, []any{&numbered, &delivered, &last, &more}, "SELECT numbered, delivered, last_workspace, more FROM sequence_events($1, $2, $3)", rows, workspaces, after)
		return last
	}
	require.Equal(t, uuid.Nil, sequence(1000, 10, uuid.Nil))
	require.Equal(t, 5, numbered, "half of the rows, of which each event takes 101, and the event of the other workspace")
	require.Equal(t, 400, delivered)
	require.True(t, more)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM events WHERE workspace_id = $1", f.Theirs))

	require.NoError(t, f.record(t.Context(), f.Theirs, api.EventTypeLeadCreated))
	last := sequence(1000, 1, uuid.Nil)
	require.Equal(t, f.Ours, last, "the first of two workspaces")
	require.Equal(t, f.Theirs, sequence(1000, 1, last))
	require.Equal(t, 1, numbered)
	require.False(t, more)
	require.Equal(t, uuid.Nil, sequence(1000, 1, f.Theirs), "there is none after it")
}

// TestASequencerSkipsWhatAnotherHolds holds the lock of one workspace, as a session does
// while it numbers its events.
func TestASequencerSkipsWhatAnotherHolds(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	for _, space := range []uuid.UUID{f.Ours, f.Theirs} {
		require.NoError(t, f.record(t.Context(), space, api.EventTypeLeadCreated))
	}
	f.Sequence(t)
	for _, space := range []uuid.UUID{f.Ours, f.Theirs} {
		require.NoError(t, f.record(t.Context(), space, api.EventTypeLeadUpdated))
	}
	require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, "SELECT FROM event_counters WHERE workspace_id = $1 FOR UPDATE", f.Ours)
		require.Len(t, f.Events(t, f.Ours), 1)
		require.Len(t, f.Events(t, f.Theirs), 2)
		return err
	}))
	require.Len(t, f.Events(t, f.Ours), 2)
}

// TestADeletionOfAWebhookKeepsOnlyItsWorkspaceWaiting deletes a webhook in a transaction
// that stays open for a while, and is then rolled back.
func TestADeletionOfAWebhookKeepsOnlyItsWorkspaceWaiting(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	gone := f.webhook(t, f.Ours, api.EventTypeLeadCreated)
	f.webhook(t, f.Ours, api.EventTypeLeadCreated)
	f.webhook(t, f.Theirs, api.EventTypeLeadCreated)
	undone := errors.New("undone")
	for _, err := range []error{undone, nil} {
		f.Exec(t, "DELETE FROM webhook_deliveries")
		require.ErrorIs(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
			_, failed := tx.Exec(ctx, "DELETE FROM integrations WHERE workspace_id = $1 AND id = $2", f.Ours, gone)
			for _, space := range []uuid.UUID{f.Ours, f.Theirs} {
				failed = errors.Join(failed, f.record(ctx, space, api.EventTypeLeadCreated))
			}
			f.Sequence(t)
			require.Zero(t, f.Count(t, "SELECT count(*) FROM webhook_deliveries WHERE workspace_id = $1", f.Ours))
			require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM webhook_deliveries WHERE workspace_id = $1", f.Theirs))
			return errors.Join(failed, err)
		}), err)
		f.Sequence(t)
		want := 1
		if err != nil {
			want = 2 // the webhook is still there, and has missed nothing
		}
		require.Equal(t, want, f.Count(t, "SELECT count(*) FROM webhook_deliveries WHERE workspace_id = $1", f.Ours))
	}
}

// TestSequencerGoesOnAfterAnError breaks the connection of a sequencer.
func TestSequencerGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	f := newWorld(t)
	own, err := f.DB.Apart(t.Context(), 1)
	require.NoError(t, err)
	t.Cleanup(own.Close)
	f.sequence(t, own, 1)
	require.NoError(t, f.record(t.Context(), f.Ours, api.EventTypeLeadCreated))
	f.read(t, f.Ours, 1, 10)
	var pid int
	require.NoError(t, own.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	f.Exec(t, "SELECT pg_terminate_backend($1)", pid)
	require.NoError(t, f.record(t.Context(), f.Ours, api.EventTypeLeadCreated))
	f.read(t, f.Ours, 2, 10)
}
