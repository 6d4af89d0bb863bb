package dispatcher

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
)

func TestCapacityFollowsLatencyAndHealth(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		endpoint endpoint
		want     int
	}{
		"before the first attempt":  {endpoint{}, 2 * concurrency},
		"fast":                      {endpoint{latency: time.Millisecond}, concurrency + maxQueue},
		"slow":                      {endpoint{latency: 10 * time.Second}, concurrency + 3},
		"hanging":                   {endpoint{latency: time.Hour}, concurrency},
		"failing":                   {endpoint{latency: time.Millisecond, failures: 1}, failingLimit},
		"down":                      {endpoint{latency: time.Millisecond, failures: downAfter}, 1},
		"down with one in flight":   {endpoint{failures: downAfter, inFlight: 1}, 0},
		"queued and in flight":      {endpoint{queue: make([]job, 20), inFlight: 5}, 2*concurrency - 25},
		"more queued than accepted": {endpoint{failures: 1, queue: make([]job, 20)}, 0},
	} {
		require.Equal(t, c.want, c.endpoint.capacity(), name)
	}
}

func TestObserveAveragesLatency(t *testing.T) {
	t.Parallel()
	var e endpoint
	e.observe(time.Second)
	require.Equal(t, time.Second, e.latency)
	e.observe(2 * time.Second)
	require.Equal(t, 1200*time.Millisecond, e.latency)
	for range 100 {
		e.observe(0)
	}
	require.Positive(t, e.latency, "never 0, which means unknown")
}

func TestSummarizeCountsFailuresSinceTheLastSuccess(t *testing.T) {
	t.Parallel()
	one, other := uuid.New(), uuid.New()
	attempt := func(id uuid.UUID, status int) result {
		return result{row: db.SystemWebhookDeliveryClaimRow{IntegrationID: id}, attempt: sender.Attempt{Status: status}}
	}
	summaries := summarize([]result{
		attempt(one, 500), attempt(one, 500), attempt(one, 200), attempt(one, 503), attempt(other, 410), attempt(other, 200),
	})
	require.Len(t, summaries, 2)
	require.Equal(t, int32(1), summaries[endpointID{integration: one}].failed)
	require.Equal(t, 503, summaries[endpointID{integration: one}].last.Status)
	require.False(t, summaries[endpointID{integration: one}].gone)
	require.True(t, summaries[endpointID{integration: other}].gone, "a 410 counts although a success followed")
}

func TestDescribeSaysHowAnAttemptFailed(t *testing.T) {
	t.Parallel()
	require.Equal(t, "The endpoint responded 500.", describe(sender.Attempt{Status: 500}))
	require.Equal(t, "no connection", describe(sender.Attempt{Error: "no connection"}))
}

func TestDealSplitsABatchBetweenWorkspaces(t *testing.T) {
	t.Parallel()
	d := &Dispatcher{shares: newShares(maxClaimed)}
	hog := uuid.New()
	var due []*claimable
	add := func(workspace uuid.UUID, host string, capacity int) *claimable {
		one := &claimable{id: endpointID{workspace, uuid.New()}, holder: holder{workspace, host}, capacity: capacity}
		due = append(due, one)
		return one
	}
	for range 80 {
		add(hog, "slow.example", 32)
	}
	busy, quiet := add(uuid.New(), "slow.example", 144), add(uuid.New(), "fast.example", 1)
	require.Equal(t, maxClaim, d.deal(due))
	require.Equal(t, 1, quiet.limit)
	require.InDelta(t, maxClaim/2, busy.limit, 1, "what another workspace does not need is split again")
	ofHog := 0
	for _, one := range due[:80] {
		require.InDelta(t, maxClaim/2/80, one.limit, 1, "its webhooks share it")
		ofHog += one.limit
	}
	require.InDelta(t, maxClaim/2, ofHog, 1)
}

func TestDealStopsWhenSharesAreUsedUp(t *testing.T) {
	t.Parallel()
	d := &Dispatcher{shares: newShares(100)}
	one := &claimable{holder: holder{uuid.New(), "slow.example"}, capacity: 144}
	require.Equal(t, 50, d.deal([]*claimable{one}))
	require.Zero(t, d.deal([]*claimable{{holder: one.holder, capacity: 144}}))
	require.Equal(t, 25, d.deal([]*claimable{{holder: holder{uuid.New(), "fast.example"}, capacity: 144}}))
}
