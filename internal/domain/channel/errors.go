package channel

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// ErrTooMany means that the workspace has MaxChannels channels.
var ErrTooMany = errors.New("channel: too many channels")

// InvalidError means that settings are missing or malformed.
type InvalidError struct{ Invalid []provider.Invalid }

// Error implements error.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("channel: %d invalid settings", len(e.Invalid))
}

// UnavailableError means that this server has no provider for a channel type.
type UnavailableError struct{ Type api.ChannelType }

// Error implements error.
func (e *UnavailableError) Error() string { return "channel: no provider for " + string(e.Type) }

// UnknownAgentError means that the workspace has no such agent.
type UnknownAgentError struct{ ID uuid.UUID }

// Error implements error.
func (e *UnknownAgentError) Error() string { return fmt.Sprintf("channel: unknown agent %s", e.ID) }

// UnknownTemplateError means that a provider has approved no such template.
type UnknownTemplateError struct{ Name, Language string }

// Error implements error.
func (e *UnknownTemplateError) Error() string {
	return fmt.Sprintf("channel: unknown template %s in %s", e.Name, e.Language)
}

// ProviderError means that the provider of a channel did not do what was asked of it. Detail is
// for the owner of the channel.
type ProviderError struct {
	Kind       provider.Kind
	Detail     string
	RetryAfter time.Duration
	cause      error
}

// Error implements error.
func (e *ProviderError) Error() string { return "channel: " + string(e.Kind) + ": " + e.Detail }

// Unwrap returns the cause.
func (e *ProviderError) Unwrap() error { return e.cause }
