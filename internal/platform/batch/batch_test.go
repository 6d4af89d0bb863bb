package batch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/batch"
)

type item struct{ key, value int }

// bed runs a buffer on a fake clock. The test and the buffer's goroutine share what mu
// guards: synctest.Wait orders what they did before it, but not what the test does after.
type bed struct {
	*batch.Buffer[item, int]

	stop func()

	mu      sync.Mutex
	written [][]item
	fail    error
	hang    bool
	log     bytes.Buffer
}

func (b *bed) write(ctx context.Context, items []item) error {
	if b.hangs() {
		<-ctx.Done()
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail == nil {
		b.written = append(b.written, slices.Clone(items))
	}
	return b.fail
}

// Write implements io.Writer for the log.
func (b *bed) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

// failing makes writes fail with err, or succeed if it is nil.
func (b *bed) failing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// hanging makes writes wait until their context ends.
func (b *bed) hanging() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hang = true
}

func (b *bed) hangs() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hang
}

// batches returns what was written.
func (b *bed) batches() [][]item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.written)
}

func (b *bed) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func start(t *testing.T, options batch.Options[item, int]) *bed {
	t.Helper()
	b := &bed{}
	options.Name, options.Interval = "items", time.Second
	options.Write = b.write
	b.Buffer = batch.New(options)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx, slog.New(slog.NewTextHandler(b, nil)))
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
		require.Empty(t, b.batches(), "not before the interval")
		tick()
		require.Equal(t, [][]item{{{value: 0}, {value: 1}}, {{value: 2}}}, b.batches())
		tick()
		require.Len(t, b.batches(), 2, "each item is written once")
	})
}

func TestItemsAreWrittenWhenRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.Add(item{value: 1})
		b.stop()
		require.Equal(t, [][]item{{{value: 1}}}, b.batches())
	})
}

func TestItemsAreKeptWhileWritingFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.failing(errors.New("no database"))
		b.Add(item{value: 1})
		tick()
		require.Contains(t, b.logged(), "items not written yet")
		b.failing(nil)
		b.Add(item{value: 2})
		tick()
		require.Equal(t, [][]item{{{value: 1}, {value: 2}}}, b.batches(), "in order")
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
		require.Equal(t, [][]item{{{value: 0}, {value: 1}}}, b.batches())
		require.Contains(t, b.logged(), "items dropped: the buffer is full\" count=3")
	})
}

func TestALaterItemReplacesAnEarlierOneOfItsKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 2, MaxBatch: 10, Key: func(i item) int { return i.key }})
		b.Add(item{1, 1})
		b.Add(item{2, 1})
		b.Add(item{1, 2})
		b.failing(errors.New("no database"))
		tick()
		b.failing(nil)
		b.Add(item{2, 2})
		tick()
		require.Equal(t, [][]item{{{1, 2}, {2, 2}}}, b.batches())
		require.NotContains(t, b.logged(), "dropped")
	})
}

func TestAFlushHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, batch.Options[item, int]{Capacity: 10, MaxBatch: 10})
		b.hanging()
		b.Add(item{value: 1})
		began := time.Now()
		b.stop()
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}
