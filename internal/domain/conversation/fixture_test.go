package conversation_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/testing/seed"
)

type fixture struct {
	*seed.World

	conversations *conversation.Service
	agent         uuid.UUID
	channel       uuid.UUID
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t)}
	f.agent = f.Agent(t, f.Ours, "Concierge")
	f.channel = f.Channel(t, f.Ours, f.agent, api.ChannelTypeTELEGRAM)
	f.conversations = &conversation.Service{
		DB: f.DB, IDs: f.IDs, Clock: f.Clock, Pages: f.Pages, Events: f.Recorder,
		Providers: provider.Registry{}, Addresses: conversation.NewAddresses([]byte("fixture")),
	}
	return f
}

// open inserts a conversation of the fixture's agent and channel.
func (f *fixture) open(t *testing.T, status api.ConversationStatus, tags ...uuid.UUID) uuid.UUID {
	t.Helper()
	return f.Conversation(t, f.Ours, seed.Conversation{Agent: f.agent, Channel: f.channel, Status: status, Tags: tags})
}

func (f *fixture) apply(t *testing.T, bulk conversation.Bulk) conversation.BulkResult {
	t.Helper()
	result, err := f.conversations.Apply(t.Context(), f.DB, f.Ours, bulk)
	require.NoError(t, err)
	return result
}

func (f *fixture) get(t *testing.T, conversationID uuid.UUID) conversation.Detail {
	t.Helper()
	found, err := f.conversations.Get(t.Context(), f.Ours, conversationID)
	require.NoError(t, err)
	return found
}

// messages returns the messages of a conversation, oldest first.
func (f *fixture) messages(t *testing.T, conversationID uuid.UUID) []db.Message {
	t.Helper()
	var all []db.Message
	for transcript := f.get(t, conversationID).Transcript; ; {
		batch, err := transcript.Next(t.Context())
		require.NoError(t, err)
		if len(batch) == 0 {
			return all
		}
		for _, one := range batch {
			all = append(all, one.Message)
		}
	}
}

// conversationData is the data of a conversation event.
type conversationData struct {
	Conversation struct {
		ID                 uuid.UUID              `json:"id"`
		Status             api.ConversationStatus `json:"status"`
		AssignedOperatorID *uuid.UUID             `json:"assignedOperatorId"`
	} `json:"conversation"`
	PreviousOperatorID *uuid.UUID `json:"previousOperatorId"`
	Added, Removed     []api.Tag
}
