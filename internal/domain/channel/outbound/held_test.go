package outbound_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

func (f *fixture) through(t *testing.T) channel.Opened {
	t.Helper()
	row, err := db.New().ChannelGet(t.Context(), f.DB, db.ChannelGetParams{WorkspaceID: f.Ours, ID: f.channel})
	require.NoError(t, err)
	opened, err := f.engine.Channels.Open(row)
	require.NoError(t, err)
	return opened
}

// TestHeldConversationsAreSentByTheirHolder, until its lease ends, as if its process was killed.
func TestHeldConversationsAreSentByTheirHolder(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	held, free := f.open(t), f.open(t)
	first, err := f.engine.Hold(t.Context(), f.DB, f.Ours, held, 30*time.Second)
	require.NoError(t, err)
	hold, err := f.engine.Hold(t.Context(), f.DB, f.Ours, held, 30*time.Second)
	require.NoError(t, err)
	kept, err := first.Renew(t.Context())
	require.NoError(t, err)
	require.False(t, kept, "the second connection has taken it")
	require.NoError(t, first.Release(t.Context()))
	kept, err = hold.Renew(t.Context())
	require.NoError(t, err)
	require.True(t, kept)

	one, two := f.reply(t, held, "one"), f.reply(t, held, "two")
	f.run(t)
	f.becomes(t, f.reply(t, free, "elsewhere"), api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{"elsewhere"}, f.script.texts())
	var said []string
	send := func(_ context.Context, m provider.Outbound) (provider.Sent, error) {
		said = append(said, m.Text)
		return provider.Sent{ExternalIDs: []string{m.Key}}, nil
	}
	require.NoError(t, f.engine.SendHeld(t.Context(), f.through(t), held, send))
	require.Equal(t, []string{"one", "two"}, said)
	for _, id := range []uuid.UUID{one, two} {
		require.False(t, f.becomes(t, id, api.DeliveryStatusSENT, 1).queued)
	}
	late := f.reply(t, held, "late")
	f.Clock.Advance(31 * time.Second)
	f.becomes(t, late, api.DeliveryStatusSENT, 1)
	require.Equal(t, []string{"elsewhere", "late"}, f.script.texts())
}

// TestNoClaimedMessageIsLost claims while messages are committed: one that a claim leases must
// also be read, else it waits until the lease ends.
func TestNoClaimedMessageIsLost(t *testing.T) {
	t.Parallel()
	const most = 100
	f := setup(t, provider.Rules{MaxLength: 4096})
	conversation, sent := f.open(t), 0
	through := f.through(t)
	replied, done := make(chan struct{}), sync.WaitGroup{}
	done.Go(func() {
		defer close(replied)
		for i := range most {
			f.reply(t, conversation, strconv.Itoa(i))
		}
	})
	send := func(context.Context, provider.Outbound) (provider.Sent, error) {
		sent++
		return provider.Sent{}, nil
	}
	for ended := false; !ended; {
		select {
		case <-replied:
			ended = true
		default:
		}
		require.NoError(t, f.engine.SendHeld(t.Context(), through, conversation, send))
	}
	done.Wait()
	require.Equal(t, most, sent)
}
