package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

func TestAWindowStartsWithItsFirstRequestAndEndsExactly(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Unix(1_000_000, 0))
	m := ratelimit.NewMemory(c)
	limit := ratelimit.Limit{Requests: 1, Window: time.Minute}
	take := func() ratelimit.Result {
		taken, err := m.Take(t.Context(), "a", limit)
		require.NoError(t, err)
		return taken
	}
	c.Advance(40 * time.Second) // not aligned to minutes
	require.Equal(t, ratelimit.Result{Allowed: true, ResetAfter: time.Minute}, take())
	c.Advance(20 * time.Second)
	require.Equal(t, ratelimit.Result{ResetAfter: 40 * time.Second}, take())
	c.Advance(40*time.Second - 1)
	require.Equal(t, ratelimit.Result{ResetAfter: 1}, take(), "rejected requests do not extend the window")
	c.Advance(1)
	require.True(t, take().Allowed)
}

func TestALimitThatIsLoweredAppliesToTheOpenWindow(t *testing.T) {
	t.Parallel()
	m := ratelimit.NewMemory(clock.NewFake(time.Unix(0, 0)))
	for _, test := range []struct {
		requests, remaining int
		allowed             bool
	}{{10, 9, true}, {10, 8, true}, {2, 0, false}, {5, 1, true}, {0, 0, false}} {
		taken, err := m.Take(t.Context(), "a", ratelimit.Limit{Requests: test.requests, Window: time.Minute})
		require.NoError(t, err)
		require.Equal(t, test.allowed, taken.Allowed, "%+v", test)
		require.Equal(t, test.remaining, taken.Remaining, "%+v", test)
	}
}

func TestNetworkGroupsIPv6AddressesByTheir64(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "::ffff:192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64", "2001:db8:1:3::1": "2001:db8:1:3::/64", "fe80::1%eth0": "fe80::/64", "::1": "::/64",
		"": "", "unknown": "unknown", "@": "@",
	} {
		require.Equal(t, want, ratelimit.Network(ip), ip)
	}
}
