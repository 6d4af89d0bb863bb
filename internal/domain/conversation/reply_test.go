package conversation_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestReplyStoresMessageQueueAndEventTogether(t *testing.T) {
	t.Parallel()
	f := setup(t)
	operator := f.Operator(t, f.Ours, "Ola")
	subject := f.Conversation(t, f.Ours, seed.Conversation{Status: handedOff, Operator: &operator})
	f.Clock.Advance(time.Minute)
	message, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "Dzień dobry"})
	require.NoError(t, err)
	require.Equal(t, &operator, message.OperatorID)
	require.Equal(t, 1, f.Count(t, `SELECT count(*) FROM outbound_messages WHERE workspace_id = $1 AND message_id = $2 AND conversation_id = $3
		AND channel_id = $4 AND next_attempt_at = $5 AND leased_until IS NULL`, f.Ours, message.ID, subject, f.get(t, subject).Conversation.ChannelID, f.Clock.Now()))
	events := f.Events(t, f.Ours)
	require.Len(t, events, 1)
	require.Equal(t, api.EventTypeMessageCreated, events[0].Type)
	data := seed.Read[struct {
		ConversationID uuid.UUID `json:"conversationId"`
		Message        struct {
			ID             uuid.UUID          `json:"id"`
			Content        string             `json:"content"`
			DeliveryStatus api.DeliveryStatus `json:"deliveryStatus"`
		} `json:"message"`
	}](t, events[0])
	require.Equal(t, subject, data.ConversationID)
	require.Equal(t, message.ID, data.Message.ID)
	require.Equal(t, "Dzień dobry", data.Message.Content)
	require.Equal(t, api.DeliveryStatusQUEUED, data.Message.DeliveryStatus)
}

func TestOnlyTheFirstReplyIsMeasured(t *testing.T) {
	t.Parallel()
	f := setup(t)
	subject := f.open(t, handedOff)
	f.Clock.Advance(time.Minute)
	first, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "one"})
	require.NoError(t, err)
	require.Nil(t, first.OperatorID, "no operator is assigned")
	f.Clock.Advance(time.Minute)
	second, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "two"})
	require.NoError(t, err)
	found := f.get(t, subject)
	require.Equal(t, first.CreatedAt, *found.Conversation.FirstOperatorReplyAt)
	require.Equal(t, second.CreatedAt, *found.Conversation.LastMessageAt)
	require.Equal(t, second.CreatedAt, found.Conversation.UpdatedAt)
	require.Equal(t, []db.Message{first, second}, f.messages(t, subject))
}

func TestAReplyThatCannotBeQueuedIsNotStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	subject := f.open(t, handedOff)
	before := f.get(t, subject)
	f.Exec(t, "ALTER TABLE outbound_messages ADD CONSTRAINT full_queue CHECK (false)")
	_, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "hello"})
	require.ErrorContains(t, err, "full_queue")
	require.Equal(t, before, f.get(t, subject))
	require.Empty(t, f.Events(t, f.Ours))
}

func TestReplyIsRejectedByStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	theirs := f.Conversation(t, f.Theirs, seed.Conversation{Status: handedOff})
	for name, one := range map[string]struct {
		conversation uuid.UUID
		want         error
	}{
		"open":    {f.open(t, open), conversation.ErrNotHandedOff},
		"closed":  {f.open(t, closed), conversation.ErrClosed},
		"absent":  {uuid.New(), postgres.ErrNotFound},
		"foreign": {theirs, postgres.ErrNotFound},
	} {
		_, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, one.conversation, conversation.Reply{Content: "hello"})
		require.ErrorIs(t, err, one.want, name)
	}
	require.Zero(t, f.Count(t, "SELECT count(*) FROM outbound_messages"))
	require.Zero(t, f.Count(t, "SELECT count(*) FROM messages"))
	require.Zero(t, f.Count(t, "SELECT count(*) FROM events"))
}

// TestReplySeesAConcurrentClose closes a conversation while replies arrive: each reply is
// either stored before the conversation was closed, or refused.
func TestReplySeesAConcurrentClose(t *testing.T) {
	t.Parallel()
	f := setup(t)
	subject := f.open(t, handedOff)
	started, errs := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if _, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "hello"}); err != nil {
				errs <- err
				return
			}
			if i == 0 {
				close(started)
			}
		}
	}()
	<-started
	f.apply(t, conversation.Bulk{Action: api.BulkActionClose, IDs: []uuid.UUID{subject}})
	require.ErrorIs(t, <-errs, conversation.ErrClosed)
	events := f.Events(t, f.Ours)
	require.Equal(t, api.EventTypeConversationClosed, events[len(events)-1].Type, "no message follows the close")
	require.Len(t, f.messages(t, subject), len(events)-1)
}
