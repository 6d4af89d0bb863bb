package conversation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestReplyStoresMessageJobAndEventTogether(t *testing.T) {
	t.Parallel()
	f := setup(t)
	operator := f.Operator(t, f.Ours, "Ola")
	subject := f.Conversation(t, f.Ours, seed.Conversation{Status: handedOff, Operator: &operator})
	f.Clock.Advance(time.Minute)
	message, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, "Dzień dobry")
	require.NoError(t, err)
	require.Equal(t, &operator, message.OperatorID)
	require.Equal(t, []river.JobArgs{conversation.SendMessage{WorkspaceID: f.Ours, MessageID: message.ID}}, f.queue.jobs)
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
	first, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, "one")
	require.NoError(t, err)
	require.Nil(t, first.OperatorID, "no operator is assigned")
	f.Clock.Advance(time.Minute)
	second, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, "two")
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
	f.queue.err = errors.New("the queue is not available")
	_, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, "hello")
	require.ErrorIs(t, err, f.queue.err)
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
		_, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, one.conversation, "hello")
		require.ErrorIs(t, err, one.want, name)
	}
	require.Empty(t, f.queue.jobs)
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
			if _, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, "hello"); err != nil {
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
