package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/testing/seed"
)

func TestRepliesAreSentInOrder(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	conversation := f.open(t)
	var want []string
	var last uuid.UUID
	for i := range 20 {
		want = append(want, fmt.Sprint("reply ", i))
		last = f.reply(t, conversation, want[i])
	}
	f.run(t)
	m := f.becomes(t, last, api.DeliveryStatusSENT, 1)
	require.False(t, m.queued)
	require.Equal(t, want, f.script.texts())
	require.Equal(t, 20, f.Count(t, "SELECT count(*) FROM message_external_ids"))
	require.Equal(t, 1, f.Count(t, "SELECT count(DISTINCT (revision)) FROM messages WHERE id = $1 AND revision > 20", last), "streams see the change")
}

func TestAFailedReplyIsRetriedBeforeLaterOnes(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	conversation := f.open(t)
	first, second := f.reply(t, conversation, "first"), f.reply(t, conversation, "second")
	fail := make(chan error, 1)
	fail <- &provider.SendError{Kind: provider.Retryable, Code: "500", Detail: "overloaded"}
	f.script.send = func(_ context.Context, _ provider.Channel, m provider.Outbound) (provider.Sent, error) {
		select {
		case err := <-fail:
			return provider.Sent{}, err
		default:
			return provider.Sent{ExternalIDs: []string{m.Key}}, nil
		}
	}
	f.run(t)
	require.True(t, f.becomes(t, first, api.DeliveryStatusQUEUED, 1).queued)
	require.Equal(t, []string{"first"}, f.script.texts(), "the second one waits")
	f.Clock.Advance(10 * time.Second)
	f.becomes(t, second, api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{"first", "first", "second"}, f.script.texts())
}

func TestErrorsDecideWhatFollows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     provider.SendError
		status  api.DeliveryStatus
		queued  bool
		channel api.ChannelStatus
		blocked bool
	}{
		"permanent":     {provider.SendError{Kind: provider.Permanent}, api.DeliveryStatusFAILED, false, api.ChannelStatusCONNECTED, false},
		"window closed": {provider.SendError{Kind: provider.WindowClosed}, api.DeliveryStatusFAILED, false, api.ChannelStatusCONNECTED, false},
		"blocked":       {provider.SendError{Kind: provider.Blocked}, api.DeliveryStatusFAILED, false, api.ChannelStatusCONNECTED, true},
		"credentials":   {provider.SendError{Kind: provider.Credentials}, api.DeliveryStatusQUEUED, true, api.ChannelStatusERROR, false},
		"retryable":     {provider.SendError{Kind: provider.Retryable}, api.DeliveryStatusQUEUED, true, api.ChannelStatusCONNECTED, false},
		"ambiguous":     {provider.SendError{Kind: provider.Retryable, Ambiguous: true}, api.DeliveryStatusUNCONFIRMED, false, api.ChannelStatusCONNECTED, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, provider.Rules{MaxLength: 4096})
			c.err.Code, c.err.Detail = "42", "the provider's words"
			f.script.send = func(context.Context, provider.Channel, provider.Outbound) (provider.Sent, error) {
				return provider.Sent{}, &c.err
			}
			id := f.reply(t, f.open(t), "x")
			stop := f.run(t)
			m := f.becomes(t, id, c.status, 1)
			stop()
			require.Equal(t, c.queued, m.queued)
			var status api.ChannelStatus
			f.Scan(t, []any{&status}, "SELECT status FROM channels WHERE id = $1", f.channel)
			require.Equal(t, c.channel, status)
			require.Equal(t, c.blocked, f.Count(t, "SELECT count(*) FROM contact_identities WHERE blocked_at IS NOT NULL") == 1)
		})
	}
}

// TestACrashDuringASendDoesNotSendTwice leaves a message as a worker does that dies while it
// calls the provider.
func TestACrashDuringASendDoesNotSendTwice(t *testing.T) {
	t.Parallel()
	for idempotent, want := range map[bool]api.DeliveryStatus{false: api.DeliveryStatusUNCONFIRMED, true: api.DeliveryStatusSENT} {
		f := setup(t, provider.Rules{MaxLength: 4096, Idempotent: idempotent})
		conversation := f.open(t)
		id := f.reply(t, conversation, "in doubt")
		f.Exec(t, "UPDATE outbound_messages SET leased_until = $1, sending_since = $2, tries = 1", f.Clock.Now().Add(time.Second), f.Clock.Now())
		next := f.reply(t, conversation, "next")
		f.run(t)
		require.Empty(t, f.script.texts(), "another worker has the lease")
		f.Clock.Advance(2 * time.Second)
		f.becomes(t, id, want, 1)
		f.becomes(t, next, api.DeliveryStatusSENT, 1)
		if idempotent {
			require.Equal(t, []string{"in doubt", "next"}, f.script.texts())
		} else {
			require.Equal(t, []string{"next"}, f.script.texts())
		}
	}
}

func TestACrashBeforeASendLosesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	id := f.reply(t, f.open(t), "claimed, not sent")
	f.Exec(t, "UPDATE outbound_messages SET leased_until = $1, tries = 1", f.Clock.Now().Add(-time.Second))
	f.run(t)
	f.becomes(t, id, api.DeliveryStatusSENT, 1)
}

func TestALongReplyGoesOnAfterTheLastPartSent(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 10, Split: true})
	fail := make(chan struct{}, 1)
	fail <- struct{}{}
	f.script.send = func(_ context.Context, _ provider.Channel, m provider.Outbound) (provider.Sent, error) {
		if m.Text == "three four" {
			select {
			case <-fail:
				return provider.Sent{}, &provider.SendError{Kind: provider.Retryable}
			default:
			}
		}
		return provider.Sent{ExternalIDs: []string{m.Key}}, nil
	}
	id := f.reply(t, f.open(t), "one two three four five")
	f.run(t)
	f.becomes(t, id, api.DeliveryStatusQUEUED, 1)
	f.Clock.Advance(time.Minute)
	f.becomes(t, id, api.DeliveryStatusSENT, 2)
	require.Equal(t, []string{"one two", "three four", "three four", "five"}, f.script.texts())
	require.Equal(t, 3, f.Count(t, "SELECT count(*) FROM message_external_ids WHERE message_id = $1", id))
}

func TestMessagesOfADeletedChannelFail(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	id := f.reply(t, f.open(t), "x")
	f.Exec(t, "UPDATE channels SET deleted_at = now()")
	f.run(t)
	m := f.becomes(t, id, api.DeliveryStatusFAILED, 0)
	require.Equal(t, string(api.MessageErrorCodeChannelDeleted), *m.code)
	require.False(t, m.queued)
	require.Empty(t, f.script.texts())
}

func TestRetryAfterHoldsForTheChannel(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	f.script.send = func(context.Context, provider.Channel, provider.Outbound) (provider.Sent, error) {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, RetryAfter: 10 * time.Minute, WholeChannel: true}
	}
	id := f.reply(t, f.open(t), "x")
	stop := f.run(t)
	f.becomes(t, id, api.DeliveryStatusQUEUED, 1)
	stop()
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM channels WHERE next_send_at = $1::timestamptz(3)", f.Clock.Now().Add(10*time.Minute)))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM outbound_messages WHERE next_attempt_at >= $1::timestamptz(3)", f.Clock.Now().Add(10*time.Minute)))
}

// TestAHangingProviderDelaysNoOtherWorkspace keeps every send of one workspace in flight,
// with more channels than one workspace has capacity for.
func TestAHangingProviderDelaysNoOtherWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	release := make(chan struct{})
	f.script.send = func(ctx context.Context, c provider.Channel, _ provider.Outbound) (provider.Sent, error) {
		if c.WorkspaceID == f.Ours {
			return provider.Sent{}, nil
		}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return provider.Sent{}, errors.New("ended")
	}
	agent := f.Agent(t, f.Theirs, "Hostile")
	for range 24 {
		hostile := f.connect(t, f.Theirs, agent)
		for range 16 {
			id := f.Conversation(t, f.Theirs, seed.Conversation{Agent: agent, Channel: hostile, Status: api.ConversationStatusHANDEDOFF})
			f.Exec(t, `WITH m AS (INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, delivery_status, created_at)
				VALUES ($1, $2, $3, 'ASSISTANT', 'x', 'OPERATOR', 'QUEUED', $4))
				INSERT INTO outbound_messages (workspace_id, message_id, channel_id, conversation_id, next_attempt_at) VALUES ($1, $2, $5, $3, $4)`,
				f.Theirs, id, id, f.Clock.Now(), hostile)
		}
	}
	f.run(t)
	t.Cleanup(func() { close(release) }) // before the engine stops, which waits for the calls
	require.Eventually(t, func() bool { return len(f.script.texts()) >= 128 }, 30*time.Second, 5*time.Millisecond)
	f.becomes(t, f.reply(t, f.open(t), "ours"), api.DeliveryStatusSENT, 1)
	require.LessOrEqual(t, len(f.script.texts()), 128+1, "one workspace has a share only")
}
