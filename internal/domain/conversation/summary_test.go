package conversation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
)

// TestOperatorsLeaveASummary hands one conversation off and closes another, before their agent
// has described them.
func TestOperatorsLeaveASummary(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := f.conversations
	received := f.receive(t, provider.Message{ExternalID: "1", From: provider.Identity{ExternalID: "anna"}, Text: "Do you ship to Norway?"})
	row, err := s.HandOff(t.Context(), f.DB, f.Ours, received.Conversation.ID, conversation.HandOff{})
	require.NoError(t, err)
	require.Equal(t, "A visitor wrote: “Do you ship to Norway?”.", *row.Conversation.Summary)
	row, err = s.Close(t.Context(), f.DB, f.Ours, received.Conversation.ID)
	require.NoError(t, err)
	require.Equal(t, "A visitor wrote: “Do you ship to Norway?”.", *row.Conversation.Summary)

	other := f.receive(t, provider.Message{ExternalID: "2", From: provider.Identity{ExternalID: "ben"}, Text: "Where is my order 12345?"})
	row, err = s.Close(t.Context(), f.DB, f.Ours, other.Conversation.ID)
	require.NoError(t, err)
	require.Equal(t, "A visitor wrote: “Where is my order 12345?”.", *row.Conversation.Summary)

	silent := f.open(t, open)
	row, err = s.Close(t.Context(), f.DB, f.Ours, silent)
	require.NoError(t, err)
	require.Nil(t, row.Conversation.Summary, "no one has written anything")
}
