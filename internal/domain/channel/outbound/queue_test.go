package outbound_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/postgres"
)

// TestNoMessageIsForgotten queues messages in one conversation while others are being sent: each
// waits for the one before it, and is due when that has left the queue.
func TestNoMessageIsForgotten(t *testing.T) {
	t.Parallel()
	f := setup(t, provider.Rules{MaxLength: 4096})
	to := f.open(t)
	first, second := f.reply(t, to, "first"), f.reply(t, to, "second")
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM outbound_messages WHERE message_id = $1 AND next_attempt_at IS NOT NULL", first))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM outbound_messages WHERE message_id = $1 AND next_attempt_at IS NULL", second))
	f.run(t)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 25 {
				_, err := f.conversations.Reply(t.Context(), f.DB, f.Ours, to, conversation.Reply{Content: "x"})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	require.Eventually(t, func() bool {
		return f.Count(t, "SELECT count(*) FROM messages WHERE delivery_status = 'SENT'") == 102
	}, time.Minute, 20*time.Millisecond)
	require.Zero(t, f.Count(t, "SELECT count(*) FROM outbound_messages"))
}

// TestTheQueueIsReadByKeys claims, sends and removes messages from a long queue, with the
// statistics and the plans of an empty one.
func TestTheQueueIsReadByKeys(t *testing.T) {
	t.Parallel()
	const long, most = 2000, 16
	f := setup(t, provider.Rules{MaxLength: 4096})
	var conversations []uuid.UUID
	for range most {
		conversations = append(conversations, f.open(t))
	}
	require.NoError(t, postgres.WithTx(t.Context(), f.DB, func(ctx context.Context, tx postgres.Tx) error {
		exec := func(statement string, args ...any) {
			_, err := tx.Exec(ctx, statement, args...)
			require.NoError(t, err)
		}
		exec("SET LOCAL enable_seqscan = off") // as in the sessions of the engine
		q, now := db.New(), f.Clock.Now()
		work := func(moment time.Time) {
			until := now.Add(time.Minute).Truncate(time.Millisecond)
			claimed, err := q.OutboundClaim(ctx, tx, db.OutboundClaimParams{WorkspaceID: f.Ours, ChannelID: f.channel, Now: moment, Until: until, RowLimit: most})
			require.NoError(t, err)
			for _, id := range claimed {
				marked, err := q.OutboundMarkSending(ctx, tx, db.OutboundMarkSendingParams{WorkspaceID: f.Ours, MessageID: id, Now: now, LeasedUntil: &until})
				require.NoError(t, err)
				require.EqualValues(t, 1, marked)
				removed, err := q.OutboundDelete(ctx, tx, db.OutboundDeleteParams{WorkspaceID: f.Ours, MessageID: id, LeasedUntil: &until, NextAt: moment.Add(time.Hour)})
				require.NoError(t, err)
				require.True(t, removed)
			}
		}
		fill := func() {
			for i, n := range append([]int{long}, make([]int, most-1)...) {
				exec(`WITH added AS (SELECT gen_random_uuid() AS id FROM generate_series(0, $4)), stored AS (
						INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, delivery_status, created_at)
						SELECT $1, id, $2, 'ASSISTANT', 'x', 'OPERATOR', 'QUEUED', $3 FROM added RETURNING id
					) SELECT count(*) FROM stored`, f.Ours, conversations[i], now, n)
			}
		}
		const enqueue = "SELECT queue_message(workspace_id, $1, conversation_id, id, $2, NULL) FROM messages ORDER BY id"
		fill()
		exec(enqueue, f.channel, now)
		exec("DELETE FROM outbound_messages")
		exec("ANALYZE outbound_messages")
		for range 6 {
			work(now.Add(-time.Hour))
		}
		exec(enqueue, f.channel, now)

		read := func() (rows int) {
			require.NoError(t, tx.QueryRow(ctx, `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbound_messages'`).Scan(&rows))
			return rows
		}
		before := read()
		work(now)
		require.Less(t, read()-before, 10*most, "rows read to send %d of %d messages", most, long)
		return nil
	}))
}
