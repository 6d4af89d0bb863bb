package dispatcher

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Schedule is the default backoff: the wait after each failed attempt. A delivery has
// one attempt more than the schedule has waits.
var Schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// DisableAfter is how long every attempt must fail before a webhook is disabled.
	DisableAfter = 5 * 24 * time.Hour
	// jitter varies each wait by this fraction, either way.
	jitter = 0.1
	// maxRetryAfter bounds what an endpoint may ask for.
	maxRetryAfter = 24 * time.Hour

	// downAfter is how many failures in a row mean that an endpoint is down.
	downAfter = 5
	maxPause  = 5 * time.Minute
	maxShift  = 16
)

// backoff returns the wait after a failed attempt that follows tries others, or false
// if it was the last. retryAfter is what the endpoint asked for, 0 if nothing.
func backoff(schedule []time.Duration, tries int, retryAfter time.Duration) (time.Duration, bool) {
	if tries >= len(schedule) {
		return 0, false
	}
	wait := schedule[tries]
	wait += time.Duration((rand.Float64()*2 - 1) * jitter * float64(wait))
	return max(wait, min(retryAfter, maxRetryAfter)), true
}

// pause returns how long to send nothing to an endpoint after failures in a row: the
// schedule's first wait, doubled with each further failure; 0 while it is not down.
// After the pause a single delivery tests whether it is up again.
func pause(schedule []time.Duration, failures int) time.Duration {
	if failures < downAfter || len(schedule) == 0 {
		return 0
	}
	return min(schedule[0]<<min(failures-downAfter, maxShift), maxPause, slices.Max(schedule))
}
