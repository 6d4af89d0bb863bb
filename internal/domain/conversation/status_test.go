package conversation_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

// deliveryData is the data of message.delivery_changed.
type deliveryData struct {
	Message struct {
		ID             uuid.UUID          `json:"id"`
		DeliveryStatus api.DeliveryStatus `json:"deliveryStatus"`
		Error          *api.MessageError  `json:"error"`
	} `json:"message"`
	PreviousStatus api.DeliveryStatus `json:"previousStatus"`
}

// sending is a message of an operator, and what is recorded about it.
type sending struct {
	*fixture

	conversation, message uuid.UUID
	channel               db.Channel
}

func send(t *testing.T, f *fixture) *sending {
	t.Helper()
	subject := f.open(t, handedOff)
	reply, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, subject, conversation.Reply{Content: "Hello"})
	require.NoError(t, err)
	return &sending{fixture: f, conversation: subject, message: reply.ID, channel: f.channelRow(t)}
}

func (s *sending) attempt(t *testing.T, outcome conversation.Outcome) {
	t.Helper()
	outcome.Attempt.At = s.Clock.Now()
	require.NoError(t, postgres.WithTx(t.Context(), s.DB, func(ctx context.Context, tx postgres.Tx) error {
		return s.conversations.RecordAttempt(ctx, tx, s.Ours, s.conversation, s.message, outcome)
	}))
}

func (s *sending) report(t *testing.T, in provider.Status) (known bool) {
	t.Helper()
	require.NoError(t, postgres.WithTx(t.Context(), s.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
		known, err = s.conversations.ApplyStatus(ctx, tx, s.channel, in)
		return err
	}))
	return known
}

func (s *sending) row(t *testing.T) db.Message {
	t.Helper()
	found, err := s.conversations.Message(t.Context(), s.Ours, s.conversation, s.message)
	require.NoError(t, err)
	return found.Message
}

// moves returns the recorded changes of the delivery status, as from and to.
func (s *sending) moves(t *testing.T) (all [][2]api.DeliveryStatus) {
	t.Helper()
	for _, one := range s.Events(t, s.Ours) {
		if one.Type == api.EventTypeMessageDeliveryChanged {
			data := seed.Read[deliveryData](t, one)
			all = append(all, [2]api.DeliveryStatus{data.PreviousStatus, data.Message.DeliveryStatus})
		}
	}
	return all
}

func TestAMessageIsSentDeliveredAndRead(t *testing.T) {
	t.Parallel()
	s := send(t, setup(t))
	unavailable := &conversation.Failure{Code: api.MessageErrorCodeProviderUnavailable, Detail: "Timeout.", ProviderCode: "504"}
	s.attempt(t, conversation.Outcome{Status: api.DeliveryStatusQUEUED, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeRETRYING, Failure: unavailable, Duration: time.Second}})
	require.Equal(t, api.DeliveryStatusQUEUED, s.row(t).DeliveryStatus)
	require.Nil(t, s.row(t).ErrorCode, "it has not failed yet")
	require.Empty(t, s.moves(t))
	s.attempt(t, conversation.Outcome{
		Status: api.DeliveryStatusSENT, ExternalIDs: []string{"x1", "x2"}, Thread: "t1", Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeSENT},
	})
	require.Equal(t, "x1", *s.row(t).ExternalID)
	require.Equal(t, "t1", *s.get(t, s.conversation).Conversation.ThreadExternalID)
	require.True(t, s.report(t, provider.Status{ExternalID: "x2", Status: api.DeliveryStatusDELIVERED}))
	require.True(t, s.report(t, provider.Status{ExternalID: "x1", Status: api.DeliveryStatusREAD}))
	require.Equal(t, [][2]api.DeliveryStatus{{"QUEUED", "SENT"}, {"SENT", "DELIVERED"}, {"DELIVERED", "READ"}}, s.moves(t))
	require.False(t, s.report(t, provider.Status{ExternalID: "unknown", Status: api.DeliveryStatusREAD}))
	require.Equal(t, s.row(t).Revision, s.get(t, s.conversation).Conversation.Revision)

	var attempts []api.MessageAttempt
	require.NoError(t, json.Unmarshal(s.row(t).Attempts, &attempts))
	require.Len(t, attempts, 2)
	require.Equal(t, int64(1000), attempts[0].DurationMs)
	require.Equal(t, "504", *attempts[0].ProviderCode)
	require.Nil(t, attempts[1].Code)
}

// TestAStatusNeverGoesBack reports each status after each other one.
func TestAStatusNeverGoesBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	order := []api.DeliveryStatus{
		api.DeliveryStatusQUEUED, api.DeliveryStatusUNCONFIRMED, api.DeliveryStatusSENT, api.DeliveryStatusFAILED, api.DeliveryStatusDELIVERED, api.DeliveryStatusREAD,
	}
	s := send(t, f)
	s.attempt(t, conversation.Outcome{Status: api.DeliveryStatusSENT, ExternalIDs: []string{"x"}, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeSENT}})
	for i, from := range order {
		for j, to := range order {
			f.Exec(t, "UPDATE messages SET delivery_status = $1 WHERE id = $2", from, s.message)
			before := s.row(t)
			s.report(t, provider.Status{ExternalID: "x", Status: to, Code: "7", Kind: provider.Permanent})
			if after := s.row(t); j > i {
				require.Equal(t, to, after.DeliveryStatus, "from %s", from)
				require.Equal(t, to == api.DeliveryStatusFAILED, after.ErrorCode != nil)
			} else {
				require.Equal(t, before, after, "%s is not followed by %s", from, to)
			}
		}
	}
	// A report can be faster than the response to the request that it is about.
	f.Exec(t, "UPDATE messages SET delivery_status = 'DELIVERED' WHERE id = $1", s.message)
	s.attempt(t, conversation.Outcome{Status: api.DeliveryStatusSENT, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeSENT}})
	require.Equal(t, api.DeliveryStatusDELIVERED, s.row(t).DeliveryStatus)
	// What a contact wrote has no delivery.
	received := f.receive(t, message("m1", "Hello"))
	s.report(t, provider.Status{ExternalID: "m1", Status: api.DeliveryStatusREAD})
	require.Equal(t, []db.Message{received.Message}, f.messages(t, received.Conversation.ID))
}

func TestAFailureIsDescribed(t *testing.T) {
	t.Parallel()
	s := send(t, setup(t))
	require.NoError(t, postgres.WithTx(t.Context(), s.DB, func(ctx context.Context, tx postgres.Tx) error {
		return s.conversations.Fail(ctx, tx, s.Ours, s.message, conversation.Failure{Code: api.MessageErrorCodeChannelDeleted, Detail: "The channel was deleted."})
	}))
	events := s.Events(t, s.Ours)
	data := seed.Read[deliveryData](t, events[len(events)-1])
	require.Equal(t, &api.MessageError{Code: api.MessageErrorCodeChannelDeleted, Message: "The channel was deleted."}, data.Message.Error)
	other := send(t, s.fixture)
	other.attempt(t, conversation.Outcome{Status: api.DeliveryStatusSENT, ExternalIDs: []string{"y"}, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeSENT}})
	other.report(t, provider.Status{ExternalID: "y", Status: api.DeliveryStatusFAILED, Code: "131026", Detail: "Undeliverable", Kind: "a new kind"})
	require.Equal(t, api.MessageErrorCodeRejectedByProvider, *other.row(t).ErrorCode)
	require.Equal(t, "131026", *other.row(t).ProviderCode)
	require.ErrorIs(t, s.conversations.Fail(t.Context(), postgres.Tx{Tx: begin(t, s.fixture)}, s.Theirs, s.message, conversation.Failure{}), postgres.ErrNotFound)
}

func TestAReportCoversEarlierMessages(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s := send(t, f)
	sent := conversation.Outcome{Status: api.DeliveryStatusSENT, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeSENT}}
	s.attempt(t, sent)
	f.Clock.Advance(time.Minute)
	later, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, s.conversation, conversation.Reply{Content: "And more"})
	require.NoError(t, err)
	contact := *f.get(t, s.conversation).Conversation.IdentityExternalID
	require.True(t, s.report(t, provider.Status{Contact: contact, Through: f.Clock.Now(), Status: api.DeliveryStatusREAD}))
	require.Equal(t, api.DeliveryStatusREAD, s.row(t).DeliveryStatus)
	first := s.message
	s.message = later.ID
	require.Equal(t, api.DeliveryStatusQUEUED, s.row(t).DeliveryStatus, "it was not sent yet")
	s.attempt(t, sent)
	require.False(t, s.report(t, provider.Status{Contact: contact, Through: f.Clock.Now().Add(-time.Second), Status: api.DeliveryStatusREAD}))
	require.Equal(t, api.DeliveryStatusSENT, s.row(t).DeliveryStatus, "it was sent later")
	require.True(t, s.report(t, provider.Status{Contact: contact, Through: f.Clock.Now(), Status: api.DeliveryStatusDELIVERED}))
	require.Equal(t, api.DeliveryStatusDELIVERED, s.row(t).DeliveryStatus)
	s.message = first
	require.Equal(t, api.DeliveryStatusREAD, s.row(t).DeliveryStatus)
	require.False(t, s.report(t, provider.Status{Contact: "somebody else", Through: f.Clock.Now(), Status: api.DeliveryStatusREAD}))
}

func TestOnlyTheLatestAttemptsAreKept(t *testing.T) {
	t.Parallel()
	s := send(t, setup(t))
	for range 52 {
		s.attempt(t, conversation.Outcome{Status: api.DeliveryStatusQUEUED, Attempt: conversation.Attempt{Outcome: api.MessageAttemptOutcomeRETRYING}})
		s.Clock.Advance(time.Second)
	}
	var attempts []api.MessageAttempt
	require.NoError(t, json.Unmarshal(s.row(t).Attempts, &attempts))
	require.Len(t, attempts, 50)
	require.Equal(t, s.Clock.Now().Add(-time.Second), attempts[49].At.UTC())
}
