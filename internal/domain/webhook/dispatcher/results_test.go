package dispatcher

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
)

func of(workspace uuid.UUID, n int32) result {
	return result{row: db.SystemWebhookDeliveryClaimRow{WorkspaceID: workspace, Tries: n}}
}

func TestABacklogOfResultsDelaysNoOtherWorkspace(t *testing.T) {
	t.Parallel()
	hog, one, other := uuid.New(), uuid.New(), uuid.New()
	r := newResults()
	for n := range int32(1000) {
		r.add(of(hog, n))
	}
	r.add(of(one, 0))
	r.add(of(other, 0))
	r.add(of(other, 1))
	require.Equal(t, []result{of(hog, 0), of(one, 0), of(other, 0), of(hog, 1), of(other, 1), of(hog, 2)}, r.take(6))
	require.Len(t, r.take(maxBatch), maxBatch)
	r.add(of(one, 1))
	require.Contains(t, r.take(2), of(one, 1))
}

func TestResultsAreTakenOnceAndInOrder(t *testing.T) {
	t.Parallel()
	r, spaces := newResults(), []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	const each = 500
	go func() {
		for n := range int32(each) {
			for _, space := range spaces {
				r.add(of(space, n))
			}
		}
		r.close()
	}()
	next := map[uuid.UUID]int32{}
	for batch := r.take(7); len(batch) > 0; batch = r.take(7) {
		require.LessOrEqual(t, len(batch), 7)
		for _, one := range batch {
			require.Equal(t, next[one.row.WorkspaceID], one.row.Tries)
			next[one.row.WorkspaceID]++
		}
	}
	for _, space := range spaces {
		require.Equal(t, int32(each), next[space], "what was added before the end is taken")
	}
	require.Empty(t, r.take(1))
	require.Empty(t, r.queues)
}
