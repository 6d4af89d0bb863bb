package channeltest

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/conversation"
)

func (r *run) changedBody(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	request := on.hook(t, on.message("Hello"))
	request.Body = append(request.Body, ' ')
	require.Equal(t, http.StatusUnauthorized, on.post(t, request))
	require.Empty(t, on.texts(t))
	return "Rejected"
}

func (r *run) staleTimestamp(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	request := on.hook(t, on.message("Hello"))
	r.Clock.Advance(time.Hour)
	require.Equal(t, http.StatusUnauthorized, on.post(t, request))
	require.Empty(t, on.texts(t))
	return "Rejected"
}

func (r *run) replay(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	request := on.hook(t, on.message("Hello"))
	for range 3 {
		require.Equal(t, http.StatusOK, on.post(t, request))
	}
	require.Equal(t, []string{"Hello"}, on.texts(t))
	return "Stored once"
}

func (r *run) duplicate(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	message := on.message("Hello")
	on.report(t, message)
	r.Clock.Advance(time.Minute)
	on.report(t, message)
	require.Equal(t, []string{"Hello"}, on.texts(t))
	return "Stored once"
}

func (r *run) reordering(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	first, second := on.message("first"), on.message("second")
	on.report(t, second)
	on.report(t, first)
	require.Equal(t, []string{"second", "first"}, on.texts(t))
	require.Equal(t, 1, r.Count(t, "SELECT count(*) FROM conversations WHERE channel_id = $1", on.id))
	return "Both stored"
}

func (r *run) malformedEntry(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	on.report(t, on.message("first"), simulator.Event{Kind: simulator.Garbled, ID: "1", From: on.contact}, on.message("second"))
	texts := on.texts(t)
	slices.Sort(texts)
	require.Equal(t, []string{"first", "second"}, texts)
	return "Others stored"
}

// reports lets the provider report first what happened last.
func (r *run) reports(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	id := on.reply(t, on.open(t), "Hello")
	defer r.send(t)()
	r.becomes(t, id, api.DeliveryStatusSENT, 1)
	r.Clock.Advance(time.Second)
	accepted := on.accepted(t)
	about := simulator.Event{ID: accepted[len(accepted)-1].ID, From: on.contact, At: r.Clock.Now()}
	last, result := api.DeliveryStatusSENT, "Delivered"
	for _, kind := range []simulator.Kind{simulator.Read, simulator.Delivered} {
		about.Kind = kind
		request, err := r.kind.Simulator.Hook(on.hooks+on.id.String(), r.Clock.Now(), about)
		if errors.Is(err, simulator.ErrUnsupported) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, on.post(t, request))
		if kind == simulator.Read {
			result = "Read stays"
		}
		if last == api.DeliveryStatusSENT {
			last = map[simulator.Kind]api.DeliveryStatus{simulator.Read: api.DeliveryStatusREAD, simulator.Delivered: api.DeliveryStatusDELIVERED}[kind]
		}
		r.becomes(t, id, last, 1)
	}
	require.NotEqual(t, api.DeliveryStatusSENT, last, "a type without reports must say so")
	return result
}

func (r *run) files(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	message := on.message("see")
	message.File = &simulator.File{Name: "note.txt", ContentType: "text/plain", Content: []byte("the bytes of a file")}
	on.report(t, message)
	var externalID, key *string
	r.Scan(t, []any{&externalID, &key}, `SELECT a.external_id, a.blob_key FROM attachments AS a JOIN messages ON messages.id = a.message_id
		JOIN conversations AS c ON c.id = conversation_id WHERE c.channel_id = $1`, on.id)
	if key != nil {
		stored, err := r.blobs.Open(t.Context(), *key)
		require.NoError(t, err)
		requireContent(t, stored)
		return "Stored"
	}
	fetcher, ok := r.kind.Provider.(provider.Fetcher)
	require.True(t, ok, "the type has attachments to download")
	file, err := fetcher.Fetch(t.Context(), on.opened(t).Channel, *externalID)
	require.NoError(t, err)
	requireContent(t, file)
	return "Downloaded"
}

func requireContent(t *testing.T, from io.ReadCloser) {
	t.Helper()
	content, err := io.ReadAll(from)
	require.NoError(t, err)
	require.NoError(t, from.Close())
	require.Equal(t, "the bytes of a file", string(content))
}

func (r *run) optOut(t *testing.T) string {
	t.Helper()
	on := r.connect(t)
	open := on.open(t)
	queued := on.reply(t, open, "queued before")
	on.report(t, simulator.Event{Kind: simulator.Blocked, ID: "1", From: on.contact, At: r.Clock.Now()})
	defer r.send(t)()
	r.becomes(t, queued, api.DeliveryStatusFAILED, 1)
	require.Equal(t, string(provider.Blocked), r.code(t, queued))
	on.refuses(t, open, api.ReplyPolicyReasonCONTACTBLOCKED)
	require.Empty(t, on.accepted(t))
	request, err := r.kind.Simulator.Hook(on.hooks+on.id.String(), r.Clock.Now(), simulator.Event{Kind: simulator.Unblocked, ID: "2", From: on.contact, At: r.Clock.Now()})
	if errors.Is(err, simulator.ErrUnsupported) {
		return "Nothing sent"
	}
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, on.post(t, request))
	r.becomes(t, on.reply(t, open, "again"), api.DeliveryStatusSENT, 1)
	return "Nothing sent until taken back"
}

// refuses requires that a conversation accepts no reply for a reason.
func (c *connected) refuses(t *testing.T, conversationID uuid.UUID, reason api.ReplyPolicyReason) {
	t.Helper()
	_, err := c.conversations.Reply(t.Context(), c.DB, c.Ours, conversationID, conversation.Reply{Content: "x"})
	refused, ok := errors.AsType[*conversation.ReplyRefusedError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, reason, refused.Policy.Reason)
}
