package channeltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/conversation"
)

// later is longer than any wait after a first failure, and than a lease.
const later = 10 * time.Minute

func (r *run) text(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open := on.open(t)
	var want []string
	var last uuid.UUID
	for i := range 5 {
		want = append(want, "Zażółć 🙂 "+strconv.Itoa(i))
		last = on.reply(t, open, want[i])
	}
	defer r.send(t)()
	r.becomes(t, last, api.DeliveryStatusSENT, 1)
	require.Equal(t, want, textsOf(on.accepted(t)))
	return "Sent in order"
}

func textsOf(messages []simulator.Message) (texts []string) {
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}

// retried is a row of failures after which a message is sent again.
func retried(fault simulator.Fault) func(*run, *testing.T) string {
	return func(r *run, t *testing.T) string {
		t.Helper()
		on := r.connect(t)
		open := on.open(t)
		first, second := on.reply(t, open, "first"), on.reply(t, open, "second")
		r.kind.Simulator.Fail(fault)
		defer r.send(t)()
		r.becomes(t, first, api.DeliveryStatusQUEUED, 1)
		result := "Sent later, in order"
		if fault == simulator.Limited && r.kind.RetryAfter > 0 {
			require.Equal(t, 1, r.Count(t, "SELECT count(*) FROM outbound_messages WHERE message_id = $1 AND next_attempt_at >= $2",
				first, r.Clock.Now().Add(r.kind.RetryAfter).Truncate(time.Millisecond)))
			result = "Sent after the time asked for"
		}
		require.Empty(t, on.accepted(t))
		r.Clock.Advance(later)
		r.becomes(t, second, api.DeliveryStatusSENT, 1)
		require.Equal(t, []string{"first", "second"}, textsOf(on.accepted(t)))
		return result
	}
}

// lost is a row of messages that were accepted and whose response is lost.
func lost(fault simulator.Fault) func(*run, *testing.T) string {
	return func(r *run, t *testing.T) string {
		t.Helper()
		on := r.connect(t)
		open := on.open(t)
		r.kind.Simulator.Fail(fault)
		id := on.reply(t, open, "Hello")
		defer r.send(t)()
		if r.kind.Provider.Rules().Idempotent {
			r.becomes(t, id, api.DeliveryStatusQUEUED, 1)
			r.Clock.Advance(later)
		}
		return on.settle(t, open, id, 1)
	}
}

// settle waits for what becomes of a message that may have been sent, and counts how often
// it was.
func (c *connected) settle(t *testing.T, open, id uuid.UUID, sent int) string {
	t.Helper()
	if c.kind.Provider.Rules().Idempotent {
		c.becomes(t, id, api.DeliveryStatusSENT, 1)
		require.Len(t, c.accepted(t), 1)
		return "Sent once"
	}
	c.becomes(t, id, api.DeliveryStatusUNCONFIRMED, 1)
	c.becomes(t, c.reply(t, open, "next"), api.DeliveryStatusSENT, 1)
	require.Len(t, c.accepted(t), sent+1, "nothing is sent twice, and the next message is not held up")
	return "Unconfirmed"
}

// failed is a row of failures that are final.
func failed(fault simulator.Fault, kind provider.Kind) func(*run, *testing.T) string {
	return func(r *run, t *testing.T) string {
		t.Helper()
		on := r.connect(t)
		open := on.open(t)
		r.kind.Simulator.Fail(fault)
		id := on.reply(t, open, "Hello")
		defer r.send(t)()
		r.becomes(t, id, api.DeliveryStatusFAILED, 1)
		require.Equal(t, string(kind), r.code(t, id))
		if kind == provider.Blocked {
			on.refuses(t, open, api.ReplyPolicyReasonCONTACTBLOCKED)
			require.Empty(t, on.accepted(t))
			return "Failed; contact blocked"
		}
		r.becomes(t, on.reply(t, open, "next"), api.DeliveryStatusSENT, 1)
		require.Equal(t, []string{"next"}, textsOf(on.accepted(t)))
		return "Failed"
	}
}

// window lets the reply window close: by our clock, and by the provider's alone.
func (r *run) window(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open := on.open(t)
	r.kind.Simulator.Fail(simulator.WindowClosed)
	id := on.reply(t, open, "Hello")
	defer r.send(t)()
	r.becomes(t, id, api.DeliveryStatusFAILED, 1)
	require.Equal(t, string(provider.WindowClosed), r.code(t, id))
	r.Clock.Advance(r.kind.Provider.Rules().Window)
	on.refuses(t, open, api.ReplyPolicyReasonWINDOWEXPIRED)
	on.report(t, on.message("me again"))
	on.reply(t, open, "welcome back")
	return "Refused"
}

// revoked lets the credentials be refused between two messages, until they are set again.
func (r *run) revoked(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open := on.open(t)
	defer r.send(t)()
	r.becomes(t, on.reply(t, open, "first"), api.DeliveryStatusSENT, 1)
	r.kind.Simulator.Fail(simulator.Revoked)
	second, third := on.reply(t, open, "second"), on.reply(t, open, "third")
	r.becomes(t, second, api.DeliveryStatusQUEUED, 1)
	require.Eventually(t, func() bool {
		return r.Count(t, "SELECT count(*) FROM channels WHERE id = $1 AND status = 'ERROR' AND error_code = 'credentials_rejected'", on.id) == 1
	}, patience, 5*time.Millisecond)
	r.Clock.Advance(later)
	r.Exec(t, "UPDATE channels SET status = 'CONNECTED' WHERE id = $1", on.id)
	r.becomes(t, third, api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{"first", "second", "third"}, textsOf(on.accepted(t)))
	return "Waits for credentials"
}

// killed is a row of workers that die while they send.
func killed(at death) func(*run, *testing.T) string {
	return func(r *run, t *testing.T) string {
		t.Helper()
		on := r.connect(t)
		open := on.open(t)
		id := on.reply(t, open, "Hello")
		r.sends.die(at)
		stop := r.send(t)
		require.Eventually(t, func() bool {
			r.sends.mu.Lock()
			defer r.sends.mu.Unlock()
			return r.sends.dies == never
		}, patience, 5*time.Millisecond)
		stop()
		require.Equal(t, 1, r.Count(t, "SELECT count(*) FROM outbound_messages WHERE message_id = $1 AND leased_until IS NOT NULL", id), "it is left as a dead worker leaves it")
		r.Clock.Advance(later)
		defer r.send(t)() // another worker
		sent := 0
		if at == dieAfter {
			sent = 1
		}
		result := on.settle(t, open, id, sent)
		if sent == 0 && result == "Unconfirmed" {
			return "Unconfirmed, not sent"
		}
		return result
	}
}

func (r *run) killedAfter(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open := on.open(t)
	id := on.reply(t, open, "Hello")
	stop := r.send(t)
	r.becomes(t, id, api.DeliveryStatusSENT, 1)
	stop()
	r.Clock.Advance(later)
	defer r.send(t)()
	r.becomes(t, on.reply(t, open, "next"), api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{"Hello", "next"}, textsOf(on.accepted(t)))
	return "Sent once"
}

// emoji is a character of four bytes in UTF-8, and of two code units in UTF-16.
const emoji = "🙂"

// limit returns how many emoji the longest single message has.
func (r *run) limit() int {
	const maxReply = 4096 // of the API, in characters
	rules := r.kind.Provider.Rules()
	if rules.Split {
		return rules.MaxLength / 2 //nolint:mnd // code units of an emoji
	}
	return min(rules.MaxLength, maxReply)
}

func (r *run) atTheLimit(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	text := strings.Repeat(emoji, r.limit())
	id := on.reply(t, on.open(t), text)
	defer r.send(t)()
	r.becomes(t, id, api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{text}, textsOf(on.accepted(t)))
	return "Sent"
}

func (r *run) overTheLimit(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open, text := on.open(t), strings.Repeat(emoji, r.limit()+1)
	_, err := r.conversations.Reply(t.Context(), r.DB, r.Ours, open, conversation.Reply{Content: text})
	if !r.kind.Provider.Rules().Split {
		_, ok := errors.AsType[*conversation.TooLongError](err)
		require.True(t, ok, "%v", err)
		return "Refused"
	}
	require.NoError(t, err)
	defer r.send(t)()
	require.Eventually(t, func() bool {
		return r.Count(t, `SELECT count(*) FROM messages JOIN conversations AS c ON c.id = conversation_id
			WHERE c.channel_id = $1 AND delivery_status = 'SENT'`, on.id) == 1
	}, patience, 5*time.Millisecond)
	parts := textsOf(on.accepted(t))
	require.Len(t, parts, 2) //nolint:mnd // one over the limit of one
	require.Equal(t, text, strings.Join(parts, ""))
	return "Sent in two parts"
}

func (r *run) sentFiles(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	on.open(t)
	content := []byte("the bytes of a file")
	_, err := r.kind.Provider.Send(t.Context(), on.opened(t).Channel, provider.Outbound{
		Key: uuid.NewString() + "-0", MessageID: uuid.New(), To: on.address(t), Attachments: []provider.OutboundAttachment{{
			Type: provider.Image, Name: "ż.png", ContentType: "image/png", SizeBytes: int64(len(content)),
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		}},
	})
	require.NoError(t, err)
	accepted := on.accepted(t)
	require.Len(t, accepted, 1)
	require.Len(t, accepted[0].Files, 1)
	require.Equal(t, content, accepted[0].Files[0].Content)
	return "Sent"
}

func (r *run) deletedChannel(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	id := on.reply(t, on.open(t), "Hello")
	message := on.message("too late")
	r.Exec(t, "UPDATE channels SET deleted_at = now() WHERE id = $1", on.id)
	defer r.send(t)()
	r.becomes(t, id, api.DeliveryStatusFAILED, 0)
	require.Equal(t, string(api.MessageErrorCodeChannelDeleted), r.code(t, id))
	require.Empty(t, on.accepted(t))
	if request, err := r.kind.Simulator.Hook(on.hooks+on.id.String(), r.Clock.Now(), message); err == nil {
		require.Equal(t, http.StatusNotFound, on.post(t, request))
	}
	return "Failed"
}
