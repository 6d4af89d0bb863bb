package outbound

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestGreedyWorkspacesLeaveRoomForOthers lets workspaces with many channels each take all they can get.
func TestGreedyWorkspacesLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	e := New(Options{})
	for range 6 {
		greedy := uuid.New()
		for range 100 {
			e.reserve(greedy, uuid.New(), perChannel)
		}
	}
	require.Less(t, e.total, maxInFlight)
	require.Positive(t, e.reserve(uuid.New(), uuid.New(), perChannel), "another workspace can send")
	ours, busy := uuid.New(), uuid.New()
	e = New(Options{})
	require.Equal(t, perChannel, e.reserve(ours, busy, 100))
	require.Zero(t, e.reserve(ours, busy, 1), "a channel has a share of its workspace's")
	e.release(ours, busy, perChannel)
	require.Empty(t, e.workspace)
	require.Empty(t, e.channel)
}
