// Package ratelimit counts requests in windows: the first request of a key opens
// one, and it takes a number of requests until it ends. So a limit of 600 a
// minute admits exactly 600 in the minute from the first, and the caller can
// tell from each response what is left and when the next window begins.
package ratelimit

import (
	"context"
	"net/netip"
	"time"
)

// Limit is a number of requests in a window.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Result is what is left of a window after a request was counted.
type Result struct {
	Allowed   bool
	Remaining int
	// ResetAfter is the time until the window ends.
	ResetAfter time.Duration
}

// Limiter counts requests. Keys are independent of each other.
type Limiter interface {
	// Take counts one request of a key.
	Take(ctx context.Context, key string, limit Limit) (Result, error)
}

func result(count int64, limit Limit, resetAfter time.Duration) Result {
	return Result{
		Allowed:    count <= int64(limit.Requests),
		Remaining:  max(0, limit.Requests-int(count)),
		ResetAfter: resetAfter,
	}
}

// Network is what callers are counted by: an address, or of an IPv6 address its /64,
// which one household or server has to itself.
func Network(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil || address.Unmap().Is4() {
		return ip
	}
	const householdBits = 64
	prefix, err := address.WithZone("").Prefix(householdBits)
	if err != nil {
		return ip
	}
	return prefix.String()
}
