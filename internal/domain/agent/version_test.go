package agent_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

func (f *fixture) publish(t *testing.T, of db.Agent, prompt string) db.Agent {
	t.Helper()
	row, err := f.agents.Update(t.Context(), f.DB, f.Ours, of.ID, agent.Settings{SystemPrompt: &prompt, Status: new(api.AgentStatusPUBLISHED)})
	require.NoError(t, err)
	return row
}

// TestVersionsNeverChange edits and publishes an agent, and looks at what was published before.
func TestVersionsNeverChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, "Concierge")
	require.Nil(t, row.PublishedVersion)
	require.True(t, row.UnpublishedChanges)

	row = f.publish(t, row, "One.")
	require.Equal(t, int32(1), *row.PublishedVersion)
	require.False(t, row.UnpublishedChanges)
	again, err := f.agents.Publish(t.Context(), f.DB, f.Ours, row.ID)
	require.NoError(t, err)
	require.Equal(t, row, again, "there is nothing to publish")

	row, err = f.agents.Update(t.Context(), f.DB, f.Ours, row.ID, agent.Settings{SystemPrompt: new("Two."), MaxTokens: new(int32(7))})
	require.NoError(t, err)
	require.True(t, row.UnpublishedChanges)
	require.Equal(t, int32(1), *row.PublishedVersion)
	row, err = f.agents.Publish(t.Context(), f.DB, f.Ours, row.ID)
	require.NoError(t, err)
	require.Equal(t, int32(2), *row.PublishedVersion)

	one, err := f.agents.Version(t.Context(), f.Ours, row.ID, 1)
	require.NoError(t, err)
	require.Equal(t, "One.", one.SystemPrompt)
	require.False(t, one.Published)
	two, err := f.agents.Version(t.Context(), f.Ours, row.ID, 2)
	require.NoError(t, err)
	require.Equal(t, int32(7), two.MaxTokens)
	require.True(t, two.Published)
	for _, of := range []uuid.UUID{f.Theirs, uuid.New()} {
		_, err = f.agents.Version(t.Context(), of, row.ID, 1)
		require.ErrorIs(t, err, postgres.ErrNotFound)
		_, err = f.agents.Publish(t.Context(), f.DB, of, row.ID)
		require.ErrorIs(t, err, postgres.ErrNotFound)
		_, err = f.agents.RollBack(t.Context(), f.DB, of, row.ID, 1, true)
		require.ErrorIs(t, err, postgres.ErrNotFound)
	}

	row, err = f.agents.Update(t.Context(), f.DB, f.Ours, row.ID, agent.Settings{Name: new("Renamed"), Status: new(api.AgentStatusARCHIVED)})
	require.NoError(t, err)
	require.False(t, row.UnpublishedChanges, "a name is not part of a version")
}

func TestRollBackKeepsTheDraft(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, "Concierge")
	f.publish(t, row, "One.")
	f.publish(t, row, "Two.")
	row, err := f.agents.RollBack(t.Context(), f.DB, f.Ours, row.ID, 1, true)
	require.NoError(t, err)
	require.Equal(t, int32(1), *row.PublishedVersion)
	require.Equal(t, "Two.", row.SystemPrompt)
	require.True(t, row.UnpublishedChanges)
	withdrawn, err := f.agents.Version(t.Context(), f.Ours, row.ID, 2)
	require.NoError(t, err)
	require.NotNil(t, withdrawn.WithdrawnAt)

	row, err = f.agents.RollBack(t.Context(), f.DB, f.Ours, row.ID, 2, false)
	require.NoError(t, err)
	require.False(t, row.UnpublishedChanges)
	restored, err := f.agents.Version(t.Context(), f.Ours, row.ID, 2)
	require.NoError(t, err)
	require.Nil(t, restored.WithdrawnAt)

	_, err = f.agents.RollBack(t.Context(), f.DB, f.Ours, row.ID, 3, true)
	require.ErrorContains(t, err, "no version 3")
	found, err := f.agents.Get(t.Context(), f.Ours, row.ID)
	require.NoError(t, err)
	require.Equal(t, row, found, "nothing has changed")
}

// TestTheLatestVersionsAreKept publishes more versions than are kept, the first one concurrently.
func TestTheLatestVersionsAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	row := f.create(t, "Concierge")
	var publishing sync.WaitGroup
	for range 4 {
		publishing.Go(func() {
			_, err := f.agents.Publish(t.Context(), f.DB, f.Ours, row.ID)
			assert.NoError(t, err)
		})
	}
	publishing.Wait()
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM agent_versions WHERE agent_id = $1", row.ID), "it was published once")
	f.Exec(t, "UPDATE agent_versions SET number = $1 WHERE agent_id = $2", agent.VersionsKept, row.ID)
	f.Exec(t, `INSERT INTO agent_versions (workspace_id, agent_id, number, system_prompt, model_provider, model_name, temperature, max_tokens, created_at)
		SELECT workspace_id, agent_id, n, system_prompt, model_provider, model_name, temperature, max_tokens, created_at
		FROM agent_versions, generate_series(1, $1) AS n`, agent.VersionsKept-1)
	f.publish(t, row, "The latest.")
	var numbers []int32
	request := page.Request{Limit: new(int32(60))}
	for {
		versions, err := f.agents.Versions(t.Context(), f.Ours, row.ID, request)
		require.NoError(t, err)
		for _, one := range versions.Rows {
			numbers = append(numbers, one.Number)
		}
		if versions.Next == nil {
			break
		}
		request.Cursor = versions.Next
	}
	require.Len(t, numbers, agent.VersionsKept)
	require.Equal(t, int32(agent.VersionsKept+1), numbers[0])
	require.Equal(t, int32(2), numbers[len(numbers)-1])
}
