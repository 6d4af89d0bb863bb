// Package website is the channel type of the chat widget, whose messages need no provider:
// the widget reads them from the server (internal/api/widget).
package website

import (
	"context"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

const (
	maxText = 10_000
	timeout = 5 * time.Second
	// minSecret is the shortest secret for HS256 (RFC 7518, section 3.2), in bytes.
	minSecret = 32
)

// IdentitySecret is the credential that signs who a visitor is, shared with the customer's
// server.
const IdentitySecret = "identitySecret"

// Provider is the channel type WEBSITE.
type Provider struct{}

var _ provider.Provider = Provider{}

// Type implements provider.Provider.
func (Provider) Type() api.ChannelType { return api.ChannelTypeWEBSITE }

// Rules implements provider.Provider. A message is sent once it is stored, so sending it
// again changes nothing.
func (Provider) Rules() provider.Rules {
	return provider.Rules{MaxLength: maxText, Attachments: true, Idempotent: true, Timeout: timeout}
}

// Addresses implements provider.Provider.
func (Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider.
func (Provider) Validate(c provider.Channel) []provider.Invalid {
	if secret, ok := c.Credentials[IdentitySecret]; ok && len(secret) < minSecret {
		return []provider.Invalid{{Pointer: "/credentials/" + IdentitySecret, Message: "must have at least 32 characters"}}
	}
	return nil
}

// Receive implements provider.Provider: the widget does not use the hook.
func (Provider) Receive(provider.Channel, provider.Request) (provider.Received, error) {
	return provider.Received{}, provider.ErrUnauthenticated
}

// Send implements provider.Provider. The streams of the visitor have the message already.
func (Provider) Send(context.Context, provider.Channel, provider.Outbound) (provider.Sent, error) {
	return provider.Sent{Status: api.DeliveryStatusSENT}, nil
}

// Check implements provider.Provider: there is no provider to ask.
func (Provider) Check(_ context.Context, c provider.Channel) (string, error) { return c.Name, nil }
