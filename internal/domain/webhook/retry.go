package webhook

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Schedule is how long to wait after each failed attempt: a delivery is tried once
// more than it is long.
var Schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// GiveUpAfter is how long an endpoint may do nothing but fail.
	GiveUpAfter = 5 * 24 * time.Hour
	// jitter spreads attempts by this part of their delay, either way.
	jitter = 0.1
	// maxRetryAfter bounds what an endpoint may ask for.
	maxRetryAfter = 24 * time.Hour

	// breakAt is how many failures in a row make an endpoint count as down.
	breakAt  = 5
	maxPause = 5 * time.Minute
	maxSteps = 16
)

// delay returns how long to wait after the attempt that follows tries failed ones,
// or false where that was the last.
func delay(schedule []time.Duration, tries int, asked time.Duration) (time.Duration, bool) {
	if tries >= len(schedule) {
		return 0, false
	}
	wait := schedule[tries]
	wait += time.Duration((rand.Float64()*2 - 1) * jitter * float64(wait))
	return max(wait, min(asked, maxRetryAfter)), true
}

// pause returns how long to hold back from an endpoint after so many failures in a
// row: the schedule's first step, and twice as long each time that it still fails; 0
// while it is not down. After it, a single delivery tries whether it is up again.
func pause(schedule []time.Duration, failures int) time.Duration {
	if failures < breakAt || len(schedule) == 0 {
		return 0
	}
	return min(schedule[0]<<min(failures-breakAt, maxSteps), maxPause, slices.Max(schedule))
}
