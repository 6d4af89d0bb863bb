package agent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

type fixture struct {
	*seed.World

	agents *agent.Service
}

func setup(t *testing.T) *fixture {
	t.Helper()
	w := seed.New(t)
	return &fixture{World: w, agents: &agent.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages}}
}

func (f *fixture) create(t *testing.T, name string) db.Agent {
	t.Helper()
	row, err := f.agents.Create(t.Context(), f.DB, f.Ours, agent.Settings{Name: &name, ModelProvider: new("openai"), ModelName: new("gpt")})
	require.NoError(t, err)
	return row
}

func TestCreateFillsDefaults(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, "Concierge")
	require.Equal(t, db.Agent{
		WorkspaceID: f.Ours, ID: row.ID, Name: "Concierge", Status: api.AgentStatusDRAFT, ModelProvider: "openai", ModelName: "gpt",
		Temperature: 1, MaxTokens: 1024, UnpublishedChanges: true, CreatedAt: row.CreatedAt, UpdatedAt: row.CreatedAt,
	}, row)
	require.Equal(t, seed.Start, row.CreatedAt.UTC())
	found, err := f.agents.Get(t.Context(), f.Ours, row.ID)
	require.NoError(t, err)
	require.Equal(t, row, found)
}

// TestUpdateChangesOnlyGivenSettings changes one setting at a time, also to its zero value.
func TestUpdateChangesOnlyGivenSettings(t *testing.T) {
	t.Parallel()
	f := setup(t)
	want := f.create(t, "Concierge")
	for _, one := range []struct {
		in    agent.Settings
		apply func()
	}{
		{agent.Settings{Name: new("Sales")}, func() { want.Name = "Sales" }},
		{agent.Settings{SystemPrompt: new("Be brief.")}, func() { want.SystemPrompt = "Be brief." }},
		{agent.Settings{SystemPrompt: new("")}, func() { want.SystemPrompt = "" }},
		{agent.Settings{Temperature: new(0.0)}, func() { want.Temperature = 0 }},
		{agent.Settings{MaxTokens: new(int32(1))}, func() { want.MaxTokens = 1 }},
		{agent.Settings{ModelProvider: new("anthropic"), ModelName: new("claude")}, func() { want.ModelProvider, want.ModelName = "anthropic", "claude" }},
		{agent.Settings{Status: new(api.AgentStatusARCHIVED)}, func() { want.Status = api.AgentStatusARCHIVED }},
		{agent.Settings{Status: new(api.AgentStatusPUBLISHED)}, func() {
			want.Status, want.PublishedVersion, want.UnpublishedChanges = api.AgentStatusPUBLISHED, new(int32(1)), false
		}},
		{agent.Settings{}, func() {}},
	} {
		f.Clock.Advance(time.Minute)
		one.apply()
		got, err := f.agents.Update(t.Context(), f.DB, f.Ours, want.ID, one.in)
		require.NoError(t, err)
		require.Equal(t, f.Clock.Now(), got.UpdatedAt.UTC())
		want.UpdatedAt = got.UpdatedAt
		require.Equal(t, want, got)
	}
}

func TestAgentsOfAnotherWorkspaceAreNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, "Concierge")
	for name, space := range map[string]uuid.UUID{"foreign": f.Theirs, "absent": uuid.New()} {
		_, err := f.agents.Get(t.Context(), space, row.ID)
		require.ErrorIs(t, err, postgres.ErrNotFound, name)
		_, err = f.agents.Update(t.Context(), f.DB, space, row.ID, agent.Settings{Name: new("stolen")})
		require.ErrorIs(t, err, postgres.ErrNotFound, name)
	}
	found, err := f.agents.Get(t.Context(), f.Ours, row.ID)
	require.NoError(t, err)
	require.Equal(t, row, found)
}

func TestListIsNewestFirstAndStable(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var want, got []uuid.UUID
	for range 5 {
		want = append(want, f.create(t, "Agent").ID)
	}
	slices.Reverse(want)
	f.Agent(t, f.Theirs, "Theirs")
	two := int32(2)
	request := page.Request{Limit: &two}
	for {
		rows, err := f.agents.List(t.Context(), f.Ours, request)
		require.NoError(t, err)
		for _, row := range rows.Rows {
			got = append(got, row.ID)
		}
		if rows.Next == nil {
			break
		}
		f.create(t, "inserted between the pages")
		_, err = f.agents.List(t.Context(), f.Theirs, page.Request{Cursor: rows.Next})
		require.ErrorIs(t, err, page.ErrInvalidCursor, "a cursor is of one workspace")
		request.Cursor = rows.Next
	}
	require.Equal(t, want, got)
}
