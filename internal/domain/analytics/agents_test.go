package analytics_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/testing/seed"
)

// run inserts a run that has ended, and counts it.
func run(t *testing.T, w *seed.World, agent, talk uuid.UUID, outcome api.AgentRunOutcome, took time.Duration, cost int64) {
	t.Helper()
	id, now := w.IDs.New()
	w.Exec(t, `INSERT INTO agent_runs (workspace_id, id, agent_id, conversation_id, message_id, deadline_at, outcome, cost_micros, created_at, finished_at)
		VALUES ($1, $2, $3, $4, $2, $5, $6, $7, $8, $5)`, w.Ours, id, agent, talk, now, outcome, cost, now.Add(-took))
	require.NoError(t, db.New().AnalyticsCountRun(t.Context(), w.DB, db.AnalyticsCountRunParams{
		WorkspaceID: w.Ours, RunID: id, AgentID: agent, ChannelID: uuid.New(), FinishedAt: now,
	}))
	if outcome == api.AgentRunOutcomeANSWERED {
		require.NoError(t, db.New().AnalyticsCountAnswer(t.Context(), w.DB, db.AnalyticsCountAnswerParams{WorkspaceID: w.Ours, ConversationID: talk, AnsweredAt: now}))
	}
}

// TestAgentsAreCounted compares the figures before and after they are folded, after everything
// is counted again, and after runs were deleted.
func TestAgentsAreCounted(t *testing.T) {
	t.Parallel()
	w, service := setup(t)
	busy, quiet := w.Agent(t, w.Ours, "Busy"), w.Agent(t, w.Ours, "Quiet")
	open := func(agent uuid.UUID) uuid.UUID {
		return w.Conversation(t, w.Ours, seed.Conversation{Agent: agent, Status: api.ConversationStatusOPEN})
	}
	first, second, third := open(busy), open(busy), open(quiet)
	for n := range 100 {
		run(t, w, busy, first, api.AgentRunOutcomeANSWERED, time.Duration(n+1)*100*time.Millisecond, 10)
	}
	run(t, w, busy, second, api.AgentRunOutcomeANSWERED, time.Second, 0)
	run(t, w, busy, second, api.AgentRunOutcomeREFUSED, time.Second, 5)
	begin := w.Clock.Now()
	w.Clock.Advance(24 * time.Hour)
	run(t, w, busy, second, api.AgentRunOutcomeHANDEDOFF, time.Minute, 7)
	conversations := &conversation.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages, Events: w.Recorder}
	_, err := conversations.HandOff(t.Context(), w.DB, w.Ours, second, conversation.HandOff{})
	require.NoError(t, err)
	run(t, w, quiet, third, api.AgentRunOutcomeENDED, time.Second, 0)

	figures := func() analytics.AgentResult {
		span, err := service.NewSpan(&begin, new(w.Clock.Now().Add(time.Hour)))
		require.NoError(t, err)
		result, err := service.Agents(t.Context(), w.Ours, span, api.AnalyticsGranularityDay)
		require.NoError(t, err)
		return result
	}
	got := figures()
	require.Equal(t, []analytics.Agent{{ID: busy, Name: "Busy"}, {ID: quiet, Name: "Quiet"}}, got.Agents)
	total := got.Whole.Total
	require.InEpsilon(t, 5.0, *total.MedianAnswer, 0.05)
	require.InEpsilon(t, 9.5, *total.P95Answer, 0.05)
	total.MedianAnswer, total.P95Answer = nil, nil
	require.Equal(t, analytics.AgentFigures{Answered: 101, Refused: 1, HandedOff: 1, Ended: 1, Deflected: 1, CostMicros: 1012}, total, "the second conversation was handed off later")
	require.Len(t, got.Buckets, 2)
	require.Equal(t, begin.Truncate(24*time.Hour), got.Buckets[0].From)
	require.Equal(t, int64(1005), got.Buckets[0].Agents[0].CostMicros)
	require.Equal(t, analytics.AgentFigures{HandedOff: 1, CostMicros: 7}, got.Buckets[1].Agents[0])
	require.Equal(t, analytics.AgentFigures{Ended: 1}, got.Buckets[1].Agents[1])

	require.NoError(t, (&analytics.Folder{DB: w.DB, Log: slog.New(slog.DiscardHandler)}).Fold(t.Context()))
	require.Zero(t, w.Count(t, "SELECT count(*) FROM analytics_deltas"))
	require.Equal(t, got, figures(), "folded")
	w.Exec(t, "DELETE FROM agent_runs")
	w.Exec(t, "SELECT rebuild_analytics()")
	require.Equal(t, got, figures(), "counted again")
	theirs, err := service.Agents(t.Context(), w.Theirs, got.Whole.Span, api.AnalyticsGranularityMonth)
	require.NoError(t, err)
	require.Empty(t, theirs.Agents)
	require.Equal(t, analytics.AgentFigures{}, theirs.Whole.Total)
}
