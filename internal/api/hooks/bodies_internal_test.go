package hooks

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestBodiesOfOneChannelLeaveRoomForOthers fills the memory of bodies through one channel.
func TestBodiesOfOneChannelLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	b, flooded, other := newBodies(100), uuid.New(), uuid.New()
	taken := 0
	for b.take(flooded, 10) {
		taken++
	}
	require.Equal(t, 5, taken)
	require.True(t, b.take(other, 10))
	for range taken {
		b.give(flooded, 10)
	}
	b.give(other, 10)
	require.Equal(t, int64(100), b.free)
	require.Empty(t, b.used)
}
