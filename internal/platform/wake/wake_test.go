package wake_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var discard = slog.New(slog.DiscardHandler)

// sent reports whether a signal was sent since the last call.
func sent(signal wake.Signal) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

// run runs fn until the end of the test.
func run(t *testing.T, fn func(context.Context)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fn(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestARingWakesTheListenersOfItsTopic(t *testing.T) {
	t.Parallel()
	bell, one, two, other := wake.NewBell(), wake.NewSignal(), wake.NewSignal(), wake.NewSignal()
	bell.Listen(wake.Events, one)
	bell.Listen(wake.Events, two)
	bell.Listen(wake.Deliveries, other)
	for range 3 {
		bell.RingNow(wake.Events)
	}
	require.True(t, sent(one))
	require.False(t, sent(one), "once for several rings")
	require.True(t, sent(two))
	require.False(t, sent(other))
	var none *wake.Bell
	none.RingNow(wake.Events)
	wake.Signal(nil).Send()
}

func TestWaitEndsWithTheSignalTheTimeOrTheContext(t *testing.T) {
	t.Parallel()
	signal := wake.NewSignal()
	signal.Send()
	signal.Wait(t.Context(), time.Hour)
	require.False(t, sent(signal))
	signal.Wait(t.Context(), time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	signal.Wait(ctx, time.Hour)
	wake.Sleep(ctx, time.Hour)
}

// TestARingWaitsForTheCommit rings in transactions, one of which is rolled back.
func TestARingWaitsForTheCommit(t *testing.T) {
	t.Parallel()
	on, bell, signal := testdb.New(t), wake.NewBell(), wake.NewSignal()
	bell.Listen(wake.Events, signal)
	undone := errors.New("undone")
	for _, err := range []error{undone, nil} {
		require.ErrorIs(t, postgres.WithTx(t.Context(), on, func(ctx context.Context, tx postgres.Tx) error {
			return postgres.WithTx(ctx, tx, func(_ context.Context, tx postgres.Tx) error {
				bell.Ring(tx, wake.Events)
				require.False(t, sent(signal))
				return err
			})
		}), err)
		require.Equal(t, err == nil, sent(signal))
	}
	bell.Ring(on, wake.Events)
	require.True(t, sent(signal), "on the pool each statement is a transaction")
}

// TestOtherProcessesAreNotified rings without listeners.
func TestOtherProcessesAreNotified(t *testing.T) {
	t.Parallel()
	on := testdb.New(t)
	here, there := wake.NewBell(), wake.NewBell()
	events, deliveries, local := wake.NewSignal(), wake.NewSignal(), wake.NewSignal()
	there.Listen(wake.Events, events)
	there.Listen(wake.Deliveries, deliveries)
	here.Listen(wake.Deliveries, local)
	run(t, func(ctx context.Context) { here.Notify(ctx, on, discard) })
	run(t, func(ctx context.Context) { on.Listen(ctx, discard, there.Channel()) })
	events.Wait(t.Context(), time.Minute) // when it begins to listen, it rings everything
	deliveries.Wait(t.Context(), time.Minute)
	here.RingNow(wake.Deliveries)
	here.RingNow(wake.Events)
	events.Wait(t.Context(), time.Minute)
	require.True(t, sent(local))
	require.False(t, sent(deliveries), "the workers of this process deliver them")
}

// TestNotificationsAreCollected counts the notifications of many rings.
func TestNotificationsAreCollected(t *testing.T) {
	t.Parallel()
	on, bell := testdb.New(t), wake.NewBell()
	var notices atomic.Int64
	up := wake.NewSignal()
	run(t, func(ctx context.Context) {
		on.Listen(ctx, discard, postgres.Channel{Name: "convo_wake", Up: up.Send, Notice: func(string) { notices.Add(1) }})
	})
	up.Wait(t.Context(), time.Minute)
	for range 1000 {
		bell.RingNow(wake.Events)
	}
	run(t, func(ctx context.Context) { bell.Notify(ctx, on, discard) })
	require.Eventually(t, func() bool { return notices.Load() > 0 }, time.Minute, time.Millisecond)
	require.EqualValues(t, 1, notices.Load())
}
