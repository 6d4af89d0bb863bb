package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// maxListeners bounds the connections that a process holds.
	maxListeners = 2000
	// listenLease is how long a connection is a process's without renewal.
	listenLease = 30 * time.Second
	renewEvery  = 10 * time.Second
	// relistenAfter is the wait before a broken connection is opened again.
	relistenAfter = 15 * time.Second
)

// Listeners holds the connections of channels that receive over one, such as IMAP. Of all
// processes, one holds the connection of a channel.
type Listeners struct {
	*Engine

	Clock clock.Clock
	// Poll is the time between two claims of connections that no process holds.
	Poll time.Duration
	// Max bounds the connections that the process holds.
	Max     int
	process uuid.UUID

	mu    sync.Mutex
	total int
	held  map[uuid.UUID]int // by workspace
}

// NewListeners returns listeners that hold no connection yet.
func NewListeners(engine *Engine, now clock.Clock, poll time.Duration) *Listeners {
	return &Listeners{Engine: engine, Clock: now, Poll: poll, Max: maxListeners, process: uuid.New(), held: map[uuid.UUID]int{}}
}

// types are the channel types that listen.
func (l *Listeners) types() (types []string) {
	for kind, one := range l.Channels.Providers {
		if _, ok := one.(provider.Listener); ok {
			types = append(types, string(kind))
		}
	}
	return types
}

// Run claims channels and holds their connections until ctx ends.
func (l *Listeners) Run(ctx context.Context) {
	types := l.types()
	if len(types) == 0 {
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		claims, err := l.claim(ctx, types)
		if err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "connections of channels not claimed", "error", err)
		}
		for _, row := range claims {
			running.Go(func() {
				defer l.count(row.WorkspaceID, -1)
				l.hold(ctx, row)
			})
		}
		wake.Sleep(ctx, l.Poll)
	}
}

// claim leases connections that no process holds, as many as there is capacity for, and
// counts them.
func (l *Listeners) claim(ctx context.Context, types []string) ([]db.Channel, error) {
	free := l.free()
	if free == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	now := l.Clock.Now()
	// More than are free: among these are those of workspaces that have their share.
	unheld, err := db.New().SystemChannelListUnheld(ctx, l.DB, db.SystemChannelListUnheldParams{Types: types, Now: now, RowLimit: int32(2 * l.Max)})
	if err != nil {
		return nil, fmt.Errorf("list channels without a connection: %w", err)
	}
	params := db.SystemChannelClaimListenersParams{Now: now, Until: now.Add(listenLease), Listener: &l.process}
	params.WorkspaceIDs, params.IDs = l.choose(unheld)
	if len(params.IDs) == 0 {
		return nil, nil
	}
	rows, err := db.New().SystemChannelClaimListeners(ctx, l.DB, params)
	if err != nil {
		return nil, fmt.Errorf("claim connections: %w", err)
	}
	for _, row := range rows {
		l.count(row.WorkspaceID, 1)
	}
	return rows, nil
}

// choose returns the channels to claim, in their order. A workspace may not hold more
// connections than are free, so that there are always some for others.
func (l *Listeners) choose(unheld []db.SystemChannelListUnheldRow) (workspaceIDs, ids []uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	chosen, free := map[uuid.UUID]int{}, l.Max-l.total
	for _, row := range unheld {
		if l.held[row.WorkspaceID]+chosen[row.WorkspaceID] >= free {
			continue
		}
		chosen[row.WorkspaceID]++
		free--
		workspaceIDs, ids = append(workspaceIDs, row.WorkspaceID), append(ids, row.ID)
	}
	return workspaceIDs, ids
}

func (l *Listeners) free() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Max - l.total
}

func (l *Listeners) count(workspaceID uuid.UUID, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += n
	if l.held[workspaceID] += n; l.held[workspaceID] == 0 {
		delete(l.held, workspaceID)
	}
}

// hold listens until the connection breaks, the channel changes or the lease is lost.
func (l *Listeners) hold(ctx context.Context, row db.Channel) {
	holding, lost := context.WithCancel(ctx)
	defer lost()
	var renewing sync.WaitGroup
	renewing.Go(func() {
		defer lost()
		l.renew(holding, row)
	})
	err := l.listen(holding, row)
	lost()
	renewing.Wait()
	if err != nil && ctx.Err() == nil {
		l.Log.WarnContext(ctx, "connection of a channel ended", "channelId", row.ID, "error", err)
	}
	l.release(ctx, row, err)
}

func (l *Listeners) listen(ctx context.Context, row db.Channel) error {
	opened, err := l.Channels.Open(row)
	if err != nil {
		return err
	}
	listener, ok := opened.Provider.(provider.Listener)
	if !ok {
		return fmt.Errorf("%w: %s does not listen", channel.ErrUnusable, row.Type)
	}
	return listener.Listen(ctx, opened.Channel, func(ctx context.Context, items []provider.Item, state json.RawMessage) error {
		return l.Listened(ctx, opened, items, state)
	})
}

// renew returns once the lease cannot be renewed.
func (l *Listeners) renew(ctx context.Context, row db.Channel) {
	for {
		wake.Sleep(ctx, renewEvery)
		if ctx.Err() != nil {
			return
		}
		renewing, cancel := context.WithTimeout(ctx, statementTimeout)
		held, err := db.New().ChannelRenewListener(renewing, l.DB, db.ChannelRenewListenerParams{
			WorkspaceID: row.WorkspaceID, ID: row.ID, Listener: &l.process, Until: l.Clock.Now().Add(listenLease), UpdatedAt: row.UpdatedAt,
		})
		cancel()
		if err != nil || held == 0 {
			return
		}
	}
}

// release gives back a connection, and tells the owner of the channel why it has ended.
func (l *Listeners) release(ctx context.Context, row db.Channel, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	now := l.Clock.Now()
	until := now
	if cause != nil {
		until = now.Add(relistenAfter)
		l.reportFailure(ctx, row, now, cause)
	}
	err := db.New().ChannelReleaseListener(ctx, l.DB, db.ChannelReleaseListenerParams{WorkspaceID: row.WorkspaceID, ID: row.ID, Listener: &l.process, Until: until})
	if err != nil {
		l.Log.WarnContext(ctx, "connection of a channel not given back; its lease ends by itself", "channelId", row.ID, "error", err)
	}
}

func (l *Listeners) reportFailure(ctx context.Context, row db.Channel, at time.Time, cause error) {
	failed, ok := errors.AsType[*provider.SendError](cause)
	if !ok || row.Status != api.ChannelStatusCONNECTED {
		return
	}
	code, message := string(failed.Kind), failed.Detail
	err := db.New().ChannelRecordFailure(ctx, l.DB, db.ChannelRecordFailureParams{
		WorkspaceID: row.WorkspaceID, ID: row.ID, At: &at, Fatal: failed.Kind == provider.Credentials, ErrorCode: &code, ErrorMessage: &message,
	})
	if err != nil {
		l.Log.WarnContext(ctx, "health of a channel not recorded", "channelId", row.ID, "error", err)
	}
}
