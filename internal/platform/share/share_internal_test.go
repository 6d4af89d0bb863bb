package share

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAWorkspaceHasAShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Shares
		ours, theirs := uuid.New(), uuid.New()
		var leave []func()
		for range perWorkspace {
			one, err := s.Enter(t.Context(), ours)
			require.NoError(t, err)
			leave = append(leave, one)
		}
		began := time.Now()
		_, err := s.Enter(t.Context(), ours)
		require.ErrorIs(t, err, ErrBusy)
		require.Equal(t, maxWait, time.Since(began))

		other, err := s.Enter(t.Context(), theirs)
		require.NoError(t, err, "another workspace has its own")
		other()

		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Enter(cancelled, ours)
		require.ErrorIs(t, err, context.Canceled)

		for range maxWaiting {
			go func() {
				if done, err := s.Enter(t.Context(), ours); err == nil {
					done()
				}
			}()
		}
		synctest.Wait()
		began = time.Now()
		_, err = s.Enter(t.Context(), ours)
		require.ErrorIs(t, err, ErrBusy, "the queue is bounded")
		require.Zero(t, time.Since(began))
		for _, one := range leave {
			one()
		}
		synctest.Wait()
		require.Empty(t, s.shares, "nothing is kept of idle workspaces")
	})
}
