package main

import (
	"context"
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryRatio is the share of the container's memory that the Go heap may use; the
// rest is for stacks, page cache and the reader processes.
const memoryRatio = 0.9

// limitMemory sets the garbage collector's memory limit from the container's (cgroup
// v1 or v2), so that it collects more often instead of being killed at the limit.
// GOMEMLIMIT takes precedence. A machine without a limit keeps Go's default.
func limitMemory(ctx context.Context, log *slog.Logger) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryRatio))
	switch {
	case err != nil: // no cgroups: another system, or /sys is not mounted
		log.DebugContext(ctx, "memory limit not read", "error", err)
	case limit == math.MaxInt64:
		log.DebugContext(ctx, "memory is not limited")
	default:
		log.InfoContext(ctx, "memory limit", "bytes", limit)
	}
}
