package analytics_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/share"
	"github.com/avelto/convo/internal/testing/seed"
)

// requireCounted compares the daily counts and deltas of all workspaces with the rows that
// they count.
func requireCounted(t *testing.T, w *seed.World) {
	t.Helper()
	differences := w.Count(t, `
		SELECT count(*) FROM (
			SELECT FROM (
				SELECT workspace_id, d.dimension, day, coalesce(d.key, '') AS key, kind, bucket, n
				FROM (
					SELECT workspace_id, (at AT TIME ZONE 'UTC')::date AS day, agent_id, channel_id, conversation_status, kind, bucket, 1 AS n FROM analytics_facts
					UNION ALL
					SELECT workspace_id, day, agent_id, channel_id, conversation_status, kind, bucket, -n FROM analytics_pending
				) AS counted
				CROSS JOIN LATERAL (VALUES ('agent', agent_id::text), ('channel', channel_id::text), ('status', conversation_status)) AS d (dimension, key)
				UNION ALL
				SELECT workspace_id, dimension, day, key, kind, bucket, -n FROM analytics_daily
			) AS compared
			GROUP BY workspace_id, dimension, day, key, kind, bucket HAVING sum(n) <> 0
		) AS differences`)
	require.Zero(t, differences, "rows of the daily counts differ from the rows that they count")
	require.Zero(t, w.Count(t, "SELECT count(*) FROM analytics_daily WHERE n = 0"), "counts of 0 are kept")
}

// traffic makes random changes through the services.
type traffic struct {
	*seed.World

	leads         *lead.Service
	conversations *conversation.Service
	leadIDs       []uuid.UUID // in conversations or not
	talks         []uuid.UUID
}

func newTraffic(t *testing.T) *traffic {
	t.Helper()
	w := seed.New(t)
	f := &traffic{
		World: w, leads: &lead.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Events: w.Recorder},
		conversations: &conversation.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Events: w.Recorder},
	}
	agents := []uuid.UUID{w.Agent(t, w.Ours, "One"), w.Agent(t, w.Ours, "Two")}
	handedOff := w.Clock.Now()
	for i := range 8 {
		w.Clock.Advance(3 * time.Hour)
		f.talks = append(f.talks, w.Conversation(t, w.Ours, seed.Conversation{
			Agent: agents[i%2], Status: api.ConversationStatusHANDEDOFF, HandedOff: &handedOff,
		}))
		for range 3 {
			f.leadIDs = append(f.leadIDs, f.captured(t, f.talks[i]), f.create(t.Context(), t))
		}
	}
	return f
}

// captured inserts a lead of a conversation, as a channel would.
func (f *traffic) captured(t *testing.T, talk uuid.UUID) uuid.UUID {
	t.Helper()
	leadID, now := f.IDs.New()
	f.Exec(t, `WITH created AS (
			INSERT INTO leads (workspace_id, id, status, fields, conversation_id, created_at, updated_at) VALUES ($1, $2, 'NEW', '{"a":"b"}', $3, $4, $4)
			RETURNING *
		) SELECT count_lead(workspace_id, conversation_id, created_at, status, 1) FROM created`, f.Ours, leadID, talk, now)
	return leadID
}

func (f *traffic) create(ctx context.Context, t *testing.T) uuid.UUID {
	t.Helper()
	row, err := f.leads.Create(ctx, f.DB, f.Ours, lead.NewLead{Fields: []byte(`{"name":"Anna"}`)})
	require.NoError(t, err)
	return row.ID
}

// change makes one random change, which a rule may reject.
func (f *traffic) change(ctx context.Context, random *rand.Rand) error {
	oneOf := func(ids []uuid.UUID) uuid.UUID { return ids[random.IntN(len(ids))] }
	var err error
	switch random.IntN(8) {
	case 0:
		_, err = f.leads.Create(ctx, f.DB, f.Ours, lead.NewLead{Fields: []byte(`{"name":"Anna"}`)})
	case 1:
		err = f.leads.Delete(ctx, f.DB, f.Ours, oneOf(f.leadIDs))
	case 2:
		_, err = f.conversations.Reply(ctx, f.DB, f.Ours, oneOf(f.talks), conversation.Reply{Content: "Hello"})
	case 3, 4, 5:
		stages := []api.LeadStatus{api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusWON, api.LeadStatusLOST}
		_, err = f.leads.SetStatus(ctx, f.DB, f.Ours, oneOf(f.leadIDs), stages[random.IntN(len(stages))])
	default:
		action := []api.BulkAction{api.BulkActionClose, api.BulkActionReopen}[random.IntN(2)]
		_, err = f.conversations.Apply(ctx, f.DB, f.Ours, conversation.Bulk{IDs: []uuid.UUID{oneOf(f.talks), oneOf(f.talks)}, Action: action})
	}
	if errors.Is(err, postgres.ErrNotFound) || errors.Is(err, conversation.ErrClosed) || errors.Is(err, conversation.ErrNotHandedOff) {
		return nil
	}
	return err
}

// TestCountsAgreeWithRowsUnderConcurrentChanges makes random changes in parallel, while
// events are numbered, and counts are folded by two processes and read.
func TestCountsAgreeWithRowsUnderConcurrentChanges(t *testing.T) {
	t.Parallel()
	const writers, changes, rounds = 32, 12, 3
	f := newTraffic(t)
	service := &analytics.Service{DB: f.DB, Clock: f.Clock, Shares: &share.Shares{}}
	requireCounted(t, f.World)
	for round := range rounds {
		done, stop := context.WithCancel(t.Context())
		var background, writing sync.WaitGroup
		for range 2 {
			background.Go(func() { foldUntil(done, t, f.DB) })
		}
		background.Go(func() { (&event.Sequencer{DB: f.DB, Log: slog.New(slog.DiscardHandler)}).Run(done) })
		background.Go(func() { readUntil(done, t, service, f.World) })
		errs := make([]error, writers)
		for i := range writers {
			random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
			writing.Go(func() {
				for range changes {
					errs[i] = errors.Join(errs[i], f.change(t.Context(), random))
				}
			})
		}
		writing.Wait()
		stop()
		background.Wait()
		require.NoError(t, errors.Join(errs...))
		requireCounted(t, f.World)
	}
	f.Sequence(t)
	requireCounted(t, f.World)
	// A statement of the stopped folders may still be ending, with locks that Fold skips.
	require.Eventually(t, func() bool {
		require.NoError(t, (&analytics.Folder{DB: f.DB, Log: slog.New(slog.DiscardHandler)}).Fold(t.Context()))
		return f.Count(t, "SELECT count(*) FROM analytics_pending") == 0
	}, time.Minute, 10*time.Millisecond)
	requireCounted(t, f.World)
	f.create(t.Context(), t)
	f.Exec(t, "SELECT rebuild_analytics()")
	requireCounted(t, f.World)
	f.Sequence(t)
	requireCounted(t, f.World)
}

func foldUntil(done context.Context, t *testing.T, on *postgres.DB) {
	folder := &analytics.Folder{DB: on, Log: slog.New(slog.DiscardHandler)}
	for done.Err() == nil {
		if err := folder.Fold(t.Context()); err != nil {
			t.Errorf("fold: %v", err)
			return
		}
	}
}

// readUntil reads figures and checks that the groups add up to the total, with no figure
// below 0.
func readUntil(done context.Context, t *testing.T, service *analytics.Service, w *seed.World) {
	span := analytics.Span{From: seed.Start.Truncate(day), To: seed.Start.Truncate(day).Add(3 * day)}
	for done.Err() == nil {
		result, err := service.Overview(t.Context(), w.Ours, span, new(api.AnalyticsGroupByStatus))
		if err != nil {
			t.Errorf("read figures: %v", err)
			return
		}
		var opened, leads int64
		for _, group := range result.Buckets[0].Groups {
			opened, leads = opened+group.Opened, leads+group.LeadsCreated()
			if group.Opened < 0 || group.Closed < 0 || group.LeadsCreated() < 0 {
				t.Errorf("a figure is below 0: %+v", group)
			}
		}
		if total := result.Buckets[0].Total; opened != total.Opened || leads != total.LeadsCreated() || opened != 8 {
			t.Errorf("groups have %d conversations and %d leads, the total is %+v", opened, leads, total)
		}
	}
}

// TestAFoldIsBounded leaves the rest of a backlog to the next batch, and deletes counts that
// become 0.
func TestAFoldIsBounded(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	remaining := func(limit int) int { return f.Count(t, "SELECT fold_analytics($1)", limit) }
	f.Sequence(t)
	all := f.Count(t, "SELECT count(*) FROM analytics_deltas")
	require.Equal(t, 5, remaining(5))
	require.Equal(t, all-5, f.Count(t, "SELECT count(*) FROM analytics_deltas"))
	requireCounted(t, f.World)
	require.Zero(t, remaining(1000))
	requireCounted(t, f.World)
	for _, leadID := range f.leadIDs {
		require.NoError(t, f.leads.Delete(t.Context(), f.DB, f.Ours, leadID))
	}
	require.Zero(t, remaining(1000))
	requireCounted(t, f.World)
	require.Zero(t, f.Count(t, "SELECT count(*) FROM analytics_daily WHERE kind LIKE 'lead %'"))
}

// TestOnlyOneProcessFolds holds a fold open: another returns without folding.
func TestOnlyOneProcessFolds(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	err := postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		_, err := tx.Exec(ctx, "SELECT fold_analytics(1)")
		require.NoError(t, err)
		before := f.Count(t, "SELECT count(*) FROM analytics_deltas")
		require.Zero(t, f.Count(t, "SELECT fold_analytics(1000)"))
		require.Equal(t, before, f.Count(t, "SELECT count(*) FROM analytics_deltas"))
		return nil
	})
	require.NoError(t, err)
}
