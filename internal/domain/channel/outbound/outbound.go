// Package outbound sends messages through their channels. It claims queued messages from the
// database, sends them to the providers, and records the outcomes. A message is sent at most
// once where its provider cannot tell a repetition: if a worker dies while it calls such a
// provider, the message becomes UNCONFIRMED.
package outbound

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// maxInFlight bounds the messages that a process is sending. One channel gets at most
	// perChannel of it, and a workspace no more than is free (see reserve), so that providers
	// that hang do not delay the messages of others.
	maxInFlight = 256
	perChannel  = 16
	// chunk is for how long the messages of one claim last at the channel's rate.
	chunk = 250 * time.Millisecond
	// errorWait is the wait after a database error.
	errorWait = 500 * time.Millisecond
	// statementTimeout bounds what the senders ask the database.
	statementTimeout = 10 * time.Second
	// leaseMargin is how much longer a lease lasts than the calls of a message may take.
	leaseMargin = 30 * time.Second
	// expiryInterval is how often messages that are too old are looked for.
	expiryInterval = 10 * time.Second
)

// Options of an Engine.
type Options struct {
	DB *postgres.DB
	// Claims is a pool for what looks for messages, so that it does not wait for those that
	// record what was sent.
	Claims        *postgres.DB
	Channels      *channel.Opener
	Conversations *conversation.Service
	Blobs         blob.Store
	Clock         clock.Clock
	Log           *slog.Logger
	// Wake wakes the engine. It polls as well.
	Wake wake.Signal
	Poll time.Duration
}

// Engine claims, sends and records. Any number of engines can share a database.
type Engine struct {
	Options

	inFlight sync.WaitGroup

	mu        sync.Mutex
	total     int
	workspace map[uuid.UUID]int
	channel   map[uuid.UUID]int
	failing   map[uuid.UUID]bool // channels with a failure that this process has recorded
}

// New returns an engine that is not running yet.
func New(options Options) *Engine {
	return &Engine{Options: options, workspace: map[uuid.UUID]int{}, channel: map[uuid.UUID]int{}, failing: map[uuid.UUID]bool{}}
}

// Run sends until ctx ends. It then waits for the calls in flight, which their deadlines
// bound, and gives back what was claimed and not sent.
func (e *Engine) Run(ctx context.Context) {
	var expiring sync.WaitGroup
	expiring.Go(func() { e.expireAll(ctx) })
	for ctx.Err() == nil {
		wait, err := e.poll(ctx)
		if err != nil && ctx.Err() == nil {
			e.Log.WarnContext(ctx, "messages not claimed", "error", err)
			wait = errorWait
		}
		e.Wake.Wait(ctx, wait)
	}
	e.inFlight.Wait()
	expiring.Wait()
}

// poll claims what is due on all channels, and begins to send it. It returns how long to wait
// before the next poll: until the first channel may send again.
func (e *Engine) poll(ctx context.Context) (wait time.Duration, err error) {
	now := e.Clock.Now()
	wait = e.Poll
	listing, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	channels, err := db.New().SystemOutboundChannelList(listing, e.Claims, db.SystemOutboundChannelListParams{Now: now})
	if err != nil {
		return 0, fmt.Errorf("list channels with messages: %w", err)
	}
	// In random order, so that the first ones do not use up the capacity each time.
	rand.Shuffle(len(channels), func(i, j int) { channels[i], channels[j] = channels[j], channels[i] })
	for _, row := range channels {
		if row.NextSendAt != nil && row.NextSendAt.After(now) {
			wait = min(wait, row.NextSendAt.Sub(now))
			continue
		}
		if err := e.claim(ctx, row); err != nil {
			return 0, err
		}
	}
	return wait, nil
}

// claim leases due messages of a channel, as many as there is capacity for.
func (e *Engine) claim(ctx context.Context, row db.Channel) error {
	through, err := e.Channels.Open(row)
	if err != nil {
		return e.reportUnusable(ctx, row, err)
	}
	rules := through.Provider.Rules()
	n := e.reserve(row.WorkspaceID, row.ID, most(rules.Interval))
	if n == 0 {
		return nil
	}
	claims, err := e.lease(ctx, through, rules, nil, n)
	e.release(row.WorkspaceID, row.ID, n-len(claims))
	if err != nil {
		return err
	}
	for _, one := range claims {
		e.inFlight.Go(func() {
			defer e.Wake.Send() // the next message of the conversation may be due
			defer e.release(row.WorkspaceID, row.ID, 1)
			one.run(ctx)
		})
	}
	return nil
}

// lease claims up to n due messages of a channel, or of one conversation that is held.
func (e *Engine) lease(ctx context.Context, through channel.Opened, rules provider.Rules, held *uuid.UUID, n int) ([]*sending, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := e.Clock.Now()
	// As the database stores it, since it is compared with that.
	until := now.Add(rules.Timeout + leaseMargin).Truncate(time.Millisecond)
	ids, err := db.New().OutboundClaim(ctx, e.Claims, db.OutboundClaimParams{
		WorkspaceID: through.Row.WorkspaceID, ChannelID: through.Row.ID, Now: now, Until: until, PaceMilliseconds: int32(rules.Interval.Milliseconds()),
		RowLimit: int32(n), ConversationID: held,
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	} else if len(ids) == 0 {
		return nil, nil
	}
	claims, err := db.New().OutboundClaimedList(ctx, e.Claims, db.OutboundClaimedListParams{WorkspaceID: through.Row.WorkspaceID, MessageIDs: ids, LeasedUntil: &until})
	if err != nil {
		return nil, fmt.Errorf("read claimed messages: %w", err)
	}
	sendings := make([]*sending, len(claims))
	for i, claimed := range claims {
		sendings[i] = &sending{Engine: e, through: through, rules: rules, row: claimed, leasedUntil: until}
	}
	return sendings, nil
}

// reportUnusable lets the owner of a channel know that it cannot be used.
func (e *Engine) reportUnusable(ctx context.Context, row db.Channel, cause error) error {
	e.Log.ErrorContext(ctx, "channel cannot be used", "channelId", row.ID, "error", cause)
	at, code, message := e.Clock.Now(), string(provider.Credentials), "The stored credentials cannot be read. Set them again."
	err := db.New().ChannelRecordFailure(ctx, e.DB, db.ChannelRecordFailureParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, At: &at, Fatal: true, ErrorCode: &code, ErrorMessage: &message,
	})
	if err != nil {
		return fmt.Errorf("record health of channel: %w", err)
	}
	return nil
}

// most is how many messages of a channel to claim at a time at its rate.
func most(interval time.Duration) int {
	if interval <= 0 {
		return perChannel
	}
	return max(1, int(chunk/interval))
}

// reserve takes up to n places in flight, and returns how many there were. A workspace may
// not hold more than is free: one gets up to a half, two a third each.
func (e *Engine) reserve(workspaceID, channelID uuid.UUID, n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	share := (maxInFlight - e.total - e.workspace[workspaceID] + 1) / 2 //nolint:mnd // each place taken is also one less free
	n = max(0, min(n, share, perChannel-e.channel[channelID]))
	e.add(workspaceID, channelID, n)
	return n
}

func (e *Engine) release(workspaceID, channelID uuid.UUID, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(workspaceID, channelID, -n)
}

func (e *Engine) add(workspaceID, channelID uuid.UUID, n int) {
	e.total += n
	count(e.workspace, workspaceID, n)
	count(e.channel, channelID, n)
}

// noteFailing notes whether the last attempt on a channel failed.
func (e *Engine) noteFailing(channelID uuid.UUID, failing bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if failing {
		e.failing[channelID] = true
	} else {
		delete(e.failing, channelID)
	}
}

// wasFailing reports whether a channel has a failure that a success ends: one that was stored
// when its messages were claimed, or that this process has recorded since.
func (e *Engine) wasFailing(claimed db.Channel) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return claimed.Failures > 0 || claimed.ErrorCode != nil || e.failing[claimed.ID]
}

// count adds to a count, and forgets it at 0.
func count(counts map[uuid.UUID]int, id uuid.UUID, n int) {
	if counts[id] += n; counts[id] == 0 {
		delete(counts, id)
	}
}
