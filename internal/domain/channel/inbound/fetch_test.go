package inbound_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestFilesAreFetchedByTheirOutcome(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var tries sync.Map
	f.script.fetch = func(_ context.Context, _ provider.Channel, id string) (provider.File, error) {
		n, _ := tries.LoadOrStore(id, new(atomic.Int32))
		n.(*atomic.Int32).Add(1)
		switch id {
		case "gone":
			return provider.File{}, &provider.SendError{Kind: provider.Permanent}
		case "down":
			return provider.File{}, &provider.SendError{Kind: provider.Retryable}
		case "long":
			return file(io.LimitReader(zeros{}, 21<<20)), nil
		case "broken":
			return file(io.MultiReader(strings.NewReader("half"), failing{})), nil
		}
		return file(strings.NewReader("content of " + id)), nil
	}
	f.receive(t, f.connect(t, f.Ours), "good", "gone", "down", "long", "broken")
	run(t, f.fetcher().Run)
	eventually(t, func() bool { return f.count(t, f.Ours, api.AttachmentStateFAILED) == 2 }) // gone and long
	eventually(t, func() bool { return f.count(t, f.Ours, api.AttachmentStateSTORED) == 1 })
	var key string
	require.NoError(t, f.DB.QueryRow(t.Context(), "SELECT blob_key FROM attachments WHERE state = 'STORED'").Scan(&key))
	stored, err := f.blobs.Open(t.Context(), key)
	require.NoError(t, err)
	content, err := io.ReadAll(stored)
	require.NoError(t, err)
	require.Equal(t, "content of good", string(content))

	for n, backoff := range []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour} {
		eventually(t, func() bool {
			return f.Count(t, "SELECT count(*) FROM attachments WHERE state = 'PENDING' AND leased_until IS NULL AND tries = $1", n+1) == 2
		})
		f.Clock.Advance(backoff)
	}
	eventually(t, func() bool { return f.count(t, f.Ours, api.AttachmentStateFAILED) == 4 })
	for id, want := range map[string]int32{"good": 1, "gone": 1, "long": 1, "down": 5, "broken": 5} {
		n, _ := tries.Load(id)
		require.Equal(t, want, n.(*atomic.Int32).Load(), id)
	}
}

// TestSlowDownloadsDelayNoOtherWorkspace lets downloads of one workspace hang, with two
// processes.
func TestSlowDownloadsDelayNoOtherWorkspace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var hanging atomic.Int32
	f.script.fetch = func(ctx context.Context, c provider.Channel, _ string) (provider.File, error) {
		if c.WorkspaceID == f.Ours {
			return file(strings.NewReader("ours")), nil
		}
		hanging.Add(1)
		<-ctx.Done()
		return provider.File{}, ctx.Err()
	}
	theirs := f.connect(t, f.Theirs)
	for range 20 {
		f.receive(t, theirs, "a", "b", "c", "d", "e")
	}
	run(t, f.fetcher().Run)
	run(t, f.fetcher().Run)
	eventually(t, func() bool { return hanging.Load() == 4 })
	f.receive(t, f.connect(t, f.Ours), "x")
	eventually(t, func() bool { return f.count(t, f.Ours, api.AttachmentStateSTORED) == 1 })
	require.Equal(t, int32(4), hanging.Load(), "a workspace has a share in all processes")
}

// TestDownloadsOfADeadProcessAreContinued claims a file and never ends.
func TestDownloadsOfADeadProcessAreContinued(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var started atomic.Int32
	f.script.fetch = func(ctx context.Context, _ provider.Channel, _ string) (provider.File, error) {
		if started.Add(1) == 1 {
			<-ctx.Done()
			return provider.File{}, ctx.Err()
		}
		return file(strings.NewReader("x")), nil
	}
	f.receive(t, f.connect(t, f.Ours), "x")
	stop := run(t, f.fetcher().Run)
	eventually(t, func() bool { return started.Load() == 1 })
	stop()
	run(t, f.fetcher().Run)
	require.Zero(t, f.count(t, f.Ours, api.AttachmentStateSTORED), "its lease has not ended")
	f.Clock.Advance(3 * time.Minute)
	eventually(t, func() bool { return f.count(t, f.Ours, api.AttachmentStateSTORED) == 1 })
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }
