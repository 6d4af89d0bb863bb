package channel

import (
	"errors"
	"fmt"

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
