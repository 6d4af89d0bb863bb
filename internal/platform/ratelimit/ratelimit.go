// Package ratelimit counts requests in windows. The first request of a key opens a window,
// which allows a number of requests until it ends. A limit of 600 per minute allows exactly
// 600 requests in the minute after the first one, and each response says how many are left
// and when the window ends.
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

// Network returns the key by which callers are counted: an IPv4 address, or the /64 of an
// IPv6 address, which usually belongs to one household or server.
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
