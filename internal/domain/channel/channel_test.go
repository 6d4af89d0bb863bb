package channel_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestListPagesTheChannelsOfAWorkspace(t *testing.T) {
	t.Parallel()
	w := seed.New(t)
	channels := &channel.Service{DB: w.DB, Pages: w.Pages}
	agent, theirs := w.Agent(t, w.Ours, "Concierge"), w.Agent(t, w.Theirs, "Theirs")
	var want, got []uuid.UUID
	for _, kind := range []api.ChannelType{api.ChannelTypeVOICE, api.ChannelTypeEMAIL, api.ChannelTypeSMS} {
		want = append(want, w.Channel(t, w.Ours, agent, kind))
		w.Channel(t, w.Theirs, theirs, kind)
	}
	slices.Reverse(want)
	request := page.Request{Limit: new(int32(2))}
	first, err := channels.List(t.Context(), w.Ours, request)
	require.NoError(t, err)
	w.Channel(t, w.Ours, agent, api.ChannelTypeSLACK)
	request.Cursor = first.Next
	last, err := channels.List(t.Context(), w.Ours, request)
	require.NoError(t, err)
	require.Nil(t, last.Next)
	for _, row := range append(first.Rows, last.Rows...) {
		require.Equal(t, agent, row.AgentID)
		got = append(got, row.ID)
	}
	require.Equal(t, want, got, "what is inserted between the pages does not move them")
	_, err = channels.List(t.Context(), w.Theirs, request)
	require.ErrorIs(t, err, page.ErrInvalidCursor)
	empty, err := channels.List(t.Context(), uuid.New(), page.Request{})
	require.NoError(t, err)
	require.Empty(t, empty.Rows)
	require.Nil(t, empty.Next)
}

// TestChannelCannotReferenceAnAgentOfAnotherWorkspace relies on the composite foreign key.
func TestChannelCannotReferenceAnAgentOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	w := seed.New(t)
	theirs := w.Agent(t, w.Theirs, "Theirs")
	_, err := w.DB.Exec(t.Context(), "INSERT INTO channels (workspace_id, id, agent_id, type, name, created_at) VALUES ($1, $2, $3, 'SMS', 'SMS', now())", w.Ours, uuid.New(), theirs)
	require.ErrorContains(t, err, "channels_agent_fkey")
}
