package runner_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
)

// TestConversationsKeepTheVersionTheyBeganWith publishes versions that differ in their model,
// while conversations go on.
func TestConversationsKeepTheVersionTheyBeganWith(t *testing.T) {
	t.Parallel()
	f := setup(t)
	agents := &agent.Service{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages}
	created, err := agents.Create(t.Context(), f.DB, f.Ours, agent.Settings{
		Name: new("Versioned"), ModelProvider: new(scripted.Name), ModelName: new("one"), Status: new(api.AgentStatusPUBLISHED),
	})
	require.NoError(t, err)
	publish := func(name string) {
		_, err := agents.Update(t.Context(), f.DB, f.Ours, created.ID, agent.Settings{ModelName: &name})
		require.NoError(t, err)
		_, err = agents.Publish(t.Context(), f.DB, f.Ours, created.ID)
		require.NoError(t, err)
	}
	f.run(t)
	runs := map[uuid.UUID]int{}
	ask := func(v visitor, wantModel string, wantVersion int32) uuid.UUID {
		t.Helper()
		conversation := f.writes(t, v, "Do you deliver shoes to Norway?").Conversation.ID
		runs[conversation]++
		ended := f.ended(t, conversation, runs[conversation])
		last := ended[len(ended)-1]
		require.Equal(t, api.AgentRunOutcomeANSWERED, *last.Outcome)
		require.Equal(t, wantVersion, *last.AgentVersion)
		require.Equal(t, wantModel, *last.ModelName)
		requests := f.models.Requests()
		require.Equal(t, wantModel, requests[len(requests)-1].Model, "what the model was asked")
		require.Equal(t, int(wantVersion), f.Count(t, "SELECT agent_version FROM conversations WHERE id = $1", conversation))
		return conversation
	}

	early := f.visitor(t, f.Ours, created.ID, api.ChannelTypeWEBSITE)
	conversation := ask(early, "one", 1)
	_, err = agents.Update(t.Context(), f.DB, f.Ours, created.ID, agent.Settings{ModelName: new("draft")})
	require.NoError(t, err)
	ask(f.visitor(t, f.Ours, created.ID, api.ChannelTypeWEBSITE), "one", 1) // drafts reply to no one
	publish("two")
	late := f.visitor(t, f.Ours, created.ID, api.ChannelTypeWEBSITE)
	ask(late, "two", 2)
	ask(early, "one", 1)

	_, err = f.conversations.Close(t.Context(), f.DB, f.Ours, conversation)
	require.NoError(t, err)
	require.Equal(t, 1, f.Count(t, "SELECT agent_version FROM conversations WHERE id = $1", conversation), "it is still known")
	_, err = f.conversations.Reopen(t.Context(), f.DB, f.Ours, conversation)
	require.NoError(t, err)
	ask(early, "two", 2)

	publish("three")
	_, err = agents.RollBack(t.Context(), f.DB, f.Ours, created.ID, 1, false)
	require.NoError(t, err)
	ask(early, "two", 2) // it is neither the latest version nor the published one
	_, err = agents.RollBack(t.Context(), f.DB, f.Ours, created.ID, 2, false)
	require.NoError(t, err)
	_, err = agents.RollBack(t.Context(), f.DB, f.Ours, created.ID, 3, true)
	require.NoError(t, err)
	ask(late, "three", 3) // version 2 was withdrawn
}
