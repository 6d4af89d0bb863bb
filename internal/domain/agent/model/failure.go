package model

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says why a provider has not replied.
type Kind string

// The kinds are a closed set.
const (
	// Credentials were rejected, or the account of the provider has no credit.
	Credentials Kind = "credentials"
	RateLimited Kind = "rate_limited"
	// Overloaded is an error of the provider's servers.
	Overloaded Kind = "overloaded"
	// Unreachable is a connection that could not be made, or that broke.
	Unreachable Kind = "unreachable"
	// Refused is a decision of the model or of a content filter.
	Refused  Kind = "refused"
	TimedOut Kind = "timeout"
	// Invalid is a request that the provider rejects, or a malformed response.
	Invalid Kind = "invalid"
)

// Error is the failure of a call. It has no text of the provider, which may quote messages of
// visitors or credentials.
type Error struct {
	Kind Kind
	// Status is the status of the response; 0 if there was none.
	Status int
	// RetryAfter is how long the provider wants us to wait; nil if it does not say.
	RetryAfter *time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	if e.Status == 0 {
		return "model: " + string(e.Kind)
	}
	return fmt.Sprintf("model: %s (status %d)", e.Kind, e.Status)
}

const (
	// maxPauses is how often a provider without capacity is asked again, after a pause of at
	// most longestPause. replyTime is how much time must be left then.
	maxPauses    = 2
	longestPause = 20 * time.Second
	replyTime    = 5 * time.Second
)

// Pause reports whether to repeat a call that has failed for the nth time, and after how long:
// if the provider has no capacity at the moment, and there is time left. A rate limit that has
// no end is one of the account, such as for its spending.
func Pause(ctx context.Context, err error, n int) (time.Duration, bool) {
	failed, ok := errors.AsType[*Error](err)
	if !ok || n > maxPauses {
		return 0, false
	}
	var pause time.Duration
	switch {
	case failed.Kind != RateLimited && failed.Kind != Overloaded:
		return 0, false
	case failed.RetryAfter != nil:
		pause = *failed.RetryAfter
	case failed.Kind == RateLimited:
		return 0, false
	default:
		pause = time.Duration(n) * time.Second
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause+replyTime {
		return 0, false
	}
	return pause, pause <= longestPause
}
