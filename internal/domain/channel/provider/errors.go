package provider

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrUnauthenticated means that a request is not from the provider.
	ErrUnauthenticated = errors.New("provider: the request is not authentic")
	// ErrMalformed means that nothing in a request can be read.
	ErrMalformed = errors.New("provider: the request is malformed")
)

// Kind is why a message could not be sent.
type Kind string

// Kinds of failures. The set is closed.
const (
	// Retryable failures pass: the provider is overloaded or out of reach.
	Retryable Kind = "provider_unavailable"
	// Permanent failures stay: the provider refuses this message.
	Permanent Kind = "rejected_by_provider"
	// WindowClosed means that the contact has not written for too long.
	WindowClosed Kind = "reply_window_closed"
	// Credentials were refused, which affects the whole channel.
	Credentials Kind = "credentials_rejected"
	// Blocked means that the contact has blocked the channel, has opted out or is gone.
	Blocked Kind = "contact_unreachable"
	// Looping means that an agent has sent Rules.AutomaticPerHour messages. The engine reports
	// it; no provider does.
	Looping Kind = "automatic_reply_limit"
)

// SendError is why a provider did not accept a message.
type SendError struct {
	Kind Kind
	// Code is the provider's own; empty if there is none.
	Code string
	// Detail is for the operator. It contains no credentials.
	Detail string
	// RetryAfter is how long the provider asks to wait; 0 if it does not say.
	RetryAfter time.Duration
	// WholeChannel says that RetryAfter holds for all messages of the channel.
	WholeChannel bool
	// Ambiguous says that the provider may have accepted the message: the response was
	// lost.
	Ambiguous bool
	// Cause is the underlying error, for the log; it may be nil.
	Cause error
}

// Error implements error.
func (e *SendError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s: %s", e.Kind, e.Detail)
	}
	return fmt.Sprintf("%s (%s): %s", e.Kind, e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Cause }

// Redact replaces the credentials of a channel in a text, such as a URL in an error.
func Redact(channel Channel, text string) string {
	const shortest = 4 // shorter ones are no secrets, and would garble the text
	for _, secret := range channel.Credentials {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}
