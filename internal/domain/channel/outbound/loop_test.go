package outbound_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
)

// answer stores what an agent writes.
func (f *fixture) answer(t *testing.T, to db.Conversation, text string) uuid.UUID {
	t.Helper()
	messageID, now := f.IDs.New()
	_, err := db.New().MessageCreate(t.Context(), f.DB, db.MessageCreateParams{
		WorkspaceID: to.WorkspaceID, ID: messageID, ConversationID: to.ID, Role: api.MessageRoleASSISTANT, Content: text,
		AuthorType: api.MessageAuthorTypeAGENT, AgentID: &f.agent, DeliveryStatus: api.DeliveryStatusQUEUED, Revision: to.Revision + 1, CreatedAt: now,
	})
	require.NoError(t, err)
	require.NoError(t, db.New().OutboundEnqueue(t.Context(), f.DB, db.OutboundEnqueueParams{
		WorkspaceID: to.WorkspaceID, MessageID: messageID, ConversationID: to.ID, NextAttemptAt: now,
	}))
	return messageID
}

// hear stores what a contact writes.
func (f *fixture) hear(t *testing.T, from, text string) (to db.Conversation) {
	t.Helper()
	through, err := db.New().ChannelGet(t.Context(), f.DB, db.ChannelGetParams{WorkspaceID: f.Ours, ID: f.channel})
	require.NoError(t, err)
	err = postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		received, err := f.conversations.Receive(ctx, tx, through, f.script.rules, conversation.Inbound{
			Message: provider.Message{ExternalID: uuid.NewString(), Text: text, From: provider.Identity{ExternalID: from}},
		})
		to = received.Conversation
		return err
	})
	require.NoError(t, err)
	return to
}

// TestTwoMachinesStopWritingToEachOther has an agent and a machine that does not say that it
// is one, which answer each other for hours, in one conversation after the other.
func TestTwoMachinesStopWritingToEachOther(t *testing.T) {
	t.Parallel()
	const most, turns = 5, 90
	f := setup(t, provider.Rules{MaxLength: 4096, AutomaticPerHour: most})
	f.run(t)
	var sent []int // turns in which the agent answered
	var last db.Conversation
	for turn := range turns {
		last = f.hear(t, "robot@example.com", fmt.Sprint("ping ", turn))
		m := f.becomes(t, f.answer(t, last, fmt.Sprint("pong ", turn)), afterTurns(sent, turn, most), 1)
		if m.status == api.DeliveryStatusSENT {
			sent = append(sent, turn)
		} else {
			require.Equal(t, string(api.MessageErrorCodeAutomaticReplyLimit), *m.code)
		}
		if turn%20 == 10 {
			f.Exec(t, "UPDATE conversations SET status = 'CLOSED' WHERE id = $1", last.ID)
		}
		f.Clock.Advance(turnTime)
	}
	require.Len(t, sent, 50, "5 in each 9 turns, which take more than an hour")
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM channels WHERE id = $1 AND status = 'CONNECTED' AND error_code IS NULL", f.channel), "the channel works")

	person := f.hear(t, "anna@example.com", "Hi")
	f.becomes(t, f.answer(t, person, "Hello"), api.DeliveryStatusSENT, 1)
	f.Exec(t, "UPDATE conversations SET status = 'HANDED_OFF' WHERE id = $1", last.ID)
	f.becomes(t, f.reply(t, last.ID, "Is anyone there?"), api.DeliveryStatusSENT, 1)
}

const turnTime = 7 * time.Minute

// afterTurns is the status of a message of the agent if at most some are sent within an hour.
func afterTurns(sent []int, turn, most int) api.DeliveryStatus {
	if len(sent) >= most && time.Duration(turn-sent[len(sent)-most])*turnTime < time.Hour {
		return api.DeliveryStatusFAILED
	}
	return api.DeliveryStatusSENT
}
