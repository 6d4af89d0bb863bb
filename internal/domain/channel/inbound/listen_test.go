package inbound_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

func (f *fixture) listeners() *inbound.Listeners {
	return inbound.NewListeners(f.engine, f.Clock, 5*time.Millisecond)
}

// TestOneProcessHoldsAConnection runs two processes, stops the one that holds the
// connection, and expects the other to continue with the state that it left.
func TestOneProcessHoldsAConnection(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var open atomic.Int32
	states := make(chan string, 10)
	f.script.listen = func(ctx context.Context, c provider.Channel, deliver deliver) error {
		if open.Add(1) > 1 {
			return errors.New("a second connection")
		}
		defer open.Add(-1)
		states <- string(c.State)
		message := provider.Message{ExternalID: uuid.NewString(), Text: "Hi", From: provider.Identity{ExternalID: "anna@example.com"}}
		if err := deliver(ctx, []provider.Item{message}, json.RawMessage(`{"uid": 7}`)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	f.connect(t, f.Ours)
	stop := run(t, f.listeners().Run)
	require.JSONEq(t, `{}`, <-states)
	eventually(t, func() bool { return f.Count(t, "SELECT count(*) FROM channels WHERE state ->> 'uid' = '7'") == 1 })
	run(t, f.listeners().Run)
	stop()
	f.Clock.Advance(15 * time.Second)
	require.JSONEq(t, `{"uid": 7}`, <-states)
	eventually(t, func() bool { return f.Count(t, "SELECT count(*) FROM messages WHERE workspace_id = $1", f.Ours) == 2 })
}

// TestBrokenConnectionsAreOpenedAgain breaks a connection, then refuses its credentials.
func TestBrokenConnectionsAreOpenedAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	attempts := make(chan struct{}, 100)
	var refused atomic.Bool
	f.script.listen = func(context.Context, provider.Channel, deliver) error {
		attempts <- struct{}{}
		if refused.Load() {
			return &provider.SendError{Kind: provider.Credentials, Detail: "The password was rejected."}
		}
		return &provider.SendError{Kind: provider.Retryable, Detail: "The connection was reset."}
	}
	through := f.connect(t, f.Ours)
	run(t, f.listeners().Run)
	<-attempts
	released := func() bool { return f.Count(t, "SELECT count(*) FROM channels WHERE listener IS NULL") == 1 }
	eventually(t, released)
	require.Empty(t, attempts, "not before the backoff")
	row := f.row(t, f.Ours, through.Row.ID)
	require.Equal(t, api.ChannelStatusCONNECTED, row.Status, "it may pass")
	require.Equal(t, "The connection was reset.", *row.ErrorMessage)
	refused.Store(true)
	f.Clock.Advance(15 * time.Second)
	<-attempts
	eventually(t, func() bool { return f.row(t, f.Ours, through.Row.ID).Status == api.ChannelStatusERROR })
	eventually(t, released)
	f.Clock.Advance(time.Hour)
	unheld, err := db.New().SystemChannelListUnheld(t.Context(), f.DB, db.SystemChannelListUnheldParams{
		Types: []string{string(api.ChannelTypeEMAIL)}, Now: f.Clock.Now(), RowLimit: 10,
	})
	require.NoError(t, err)
	require.Empty(t, unheld, "not until the settings change")
}

// TestAWorkspaceDoesNotUseUpTheConnections has one with more channels than the process may
// hold connections. Others get theirs, also later.
func TestAWorkspaceDoesNotUseUpTheConnections(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.script.listen = func(ctx context.Context, _ provider.Channel, _ deliver) error {
		<-ctx.Done()
		return nil
	}
	connect := func(space uuid.UUID, count int) {
		for range count {
			f.connect(t, space)
		}
	}
	held := func(space uuid.UUID) int {
		return f.Count(t, "SELECT count(*) FROM channels WHERE workspace_id = $1 AND listener IS NOT NULL", space)
	}
	connect(f.Ours, 15)
	connect(f.Theirs, 1)
	listeners := f.listeners()
	listeners.Max = 12
	run(t, listeners.Run)
	eventually(t, func() bool { return held(f.Ours) == 6 && held(f.Theirs) == 1 }) // 5 are free
	third := f.Workspace(t, "third")
	connect(third, 4)
	eventually(t, func() bool { return held(third) == 3 }) // 2 are free
	require.Equal(t, 6, held(f.Ours))
	require.Equal(t, 1, held(f.Theirs))
}
