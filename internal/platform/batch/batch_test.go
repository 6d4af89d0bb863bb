package batch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/batch"
)

type item struct{ key, value int }

// bed runs a buffer on a fake clock. Its fields are read after synctest.Wait only.
type bed struct {
	*batch.Buffer[item, int]

	written [][]item
	fail    error
	hang    bool
	log     bytes.Buffer
	stop    func()
}

func start(t *testing.T, options batch.Options[item, int]) *bed {
	t.Helper()
	b := &bed{}
	options.Name, options.Interval = "items", time.Second
	options.Write = func(ctx context.Context, items []item) error {
		if b.hang {
			<-ctx.Done()
			return ctx.Err()
		}
		if b.fail == nil {
			b.written = append(b.written, slices.Clone(items))
		}
		return b.fail
	}
	b.Buffer = batch.New(options)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx, slog.New(slog.NewTextHandler(&b.log, nil)))
	}()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(b.stop)
	return b
}

// tick lets an interval pass.
func tick() {
	time.Sleep(time.Second) // fake time
	synctest.Wait()
}

func TestItemsAreWrittenInBatchesAtEachInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 2})
		for i := range 3 {
			b.Add(item{value: i})
		}
		synctest.Wait()
		require.Empty(t, b.written, "not before the interval")
		tick()
		require.Equal(t, [][]item{{{value: 0}, {value: 1}}, {{value: 2}}}, b.written)
		tick()
		require.Len(t, b.written, 2, "each item is written once")
	})
}

func TestItemsAreWrittenWhenRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.Add(item{value: 1})
		b.stop()
		require.Equal(t, [][]item{{{value: 1}}}, b.written)
	})
}

func TestItemsAreKeptWhileWritingFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.fail = errors.New("no database")
		b.Add(item{value: 1})
		tick()
		require.Contains(t, b.log.String(), "items not written yet")
		b.fail = nil
		b.Add(item{value: 2})
		tick()
		require.Equal(t, [][]item{{{value: 1}, {value: 2}}}, b.written, "in order")
	})
}

func TestItemsOverTheCapacityAreDroppedAndLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 2, MaxBatch: 10})
		for i := range 5 {
			b.Add(item{value: i})
		}
		tick()
		require.Equal(t, [][]item{{{value: 0}, {value: 1}}}, b.written)
		require.Contains(t, b.log.String(), "items dropped: the buffer is full\" count=3")
	})
}

func TestALaterItemReplacesAnEarlierOneOfItsKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 2, MaxBatch: 10, Key: func(i item) int { return i.key }})
		b.Add(item{1, 1})
		b.Add(item{2, 1})
		b.Add(item{1, 2})
		b.fail = errors.New("no database")
		tick()
		b.fail = nil
		b.Add(item{2, 2})
		tick()
		require.Equal(t, [][]item{{{1, 2}, {2, 2}}}, b.written)
		require.NotContains(t, b.log.String(), "dropped")
	})
}

func TestAFlushHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.hang = true
		b.Add(item{value: 1})
		began := time.Now()
		b.stop()
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}
