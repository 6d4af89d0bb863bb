// Package channeltest is a provider of channels for tests. It calls no one.
package channeltest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// Provider is a channel type that accepts every channel and message, unless it is told
// otherwise. It is safe for concurrent use once it is set up.
type Provider struct {
	Kind      api.ChannelType
	Limits    provider.Rules
	CheckFunc func(ctx context.Context, channel provider.Channel) (string, error)
	// ConnectFunc and DisconnectFunc may be nil, like the other functions.
	ConnectFunc    func(ctx context.Context, channel provider.Channel) error
	DisconnectFunc func(ctx context.Context, channel provider.Channel) error
	Invalid        func(channel provider.Channel) []provider.Invalid

	mu    sync.Mutex
	calls []Call
}

// Call is a call of Check, Connect or Disconnect.
type Call struct {
	Method  string
	Channel provider.Channel
}

var (
	_ provider.Provider   = (*Provider)(nil)
	_ provider.Connector  = (*Provider)(nil)
	_ provider.Initiator  = (*Provider)(nil)
	_ provider.Templater  = (*Provider)(nil)
	_ provider.Authorizer = (*Provider)(nil)
)

// Registry returns a provider for each channel type: conversations can be started by email
// and SMS, and all types have a template.
func Registry() provider.Registry {
	registry := provider.Registry{}
	for _, kind := range []api.ChannelType{
		api.ChannelTypeWEBSITE, api.ChannelTypeTELEGRAM, api.ChannelTypeWHATSAPP, api.ChannelTypeMESSENGER, api.ChannelTypeVIBER,
		api.ChannelTypeEMAIL, api.ChannelTypeSLACK, api.ChannelTypeDISCORD, api.ChannelTypeSMS, api.ChannelTypeVOICE,
	} {
		initiate := kind == api.ChannelTypeEMAIL || kind == api.ChannelTypeSMS
		registry[kind] = &Provider{Kind: kind, Limits: provider.Rules{
			MaxLength: 4096, Initiate: initiate, Templates: true, Hook: kind != api.ChannelTypeWEBSITE, Timeout: 10 * time.Second,
		}}
	}
	return registry
}

// Calls returns the calls so far.
func (p *Provider) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Call(nil), p.calls...)
}

func (p *Provider) note(method string, channel provider.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, Call{method, channel})
}

// Type implements provider.Provider.
func (p *Provider) Type() api.ChannelType { return p.Kind }

// Rules implements provider.Provider.
func (p *Provider) Rules() provider.Rules { return p.Limits }

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider.
func (p *Provider) Validate(channel provider.Channel) []provider.Invalid {
	if p.Invalid == nil {
		return nil
	}
	return p.Invalid(channel)
}

// Receive implements provider.Provider.
func (*Provider) Receive(provider.Channel, provider.Request) (provider.Received, error) {
	return provider.Received{}, provider.ErrUnauthenticated
}

// Send implements provider.Provider.
func (*Provider) Send(_ context.Context, _ provider.Channel, message provider.Outbound) (provider.Sent, error) {
	return provider.Sent{ExternalIDs: []string{message.Key}}, nil
}

// Check implements provider.Provider.
func (p *Provider) Check(ctx context.Context, channel provider.Channel) (string, error) {
	p.note("check", channel)
	if p.CheckFunc == nil {
		return "", nil
	}
	return p.CheckFunc(ctx, channel)
}

// Connect implements provider.Connector.
func (p *Provider) Connect(ctx context.Context, channel provider.Channel) error {
	p.note("connect", channel)
	if p.ConnectFunc == nil {
		return nil
	}
	return p.ConnectFunc(ctx, channel)
}

// Disconnect implements provider.Connector.
func (p *Provider) Disconnect(ctx context.Context, channel provider.Channel) error {
	p.note("disconnect", channel)
	if p.DisconnectFunc == nil {
		return nil
	}
	return p.DisconnectFunc(ctx, channel)
}

// Recipient implements provider.Initiator: an email address, or a phone number.
func (*Provider) Recipient(to string) (provider.Identity, bool) {
	if strings.Contains(to, "@") {
		return provider.Identity{ExternalID: strings.ToLower(to), Email: to}, true
	}
	return provider.Identity{ExternalID: to, Phone: to}, strings.HasPrefix(to, "+")
}

// orderUpdate is the template of all channels.
var orderUpdate = provider.Template{
	Name: "order_update", Language: "en", Category: "UTILITY", Status: "APPROVED", Body: "Hello {{1}}, your order {{2}} is on its way.",
}

// Templates implements provider.Templater.
func (*Provider) Templates(context.Context, provider.Channel, string, int) ([]provider.Template, string, error) {
	return []provider.Template{orderUpdate}, "", nil
}

// Template implements provider.Templater.
func (*Provider) Template(_ context.Context, _ provider.Channel, name, language string) (provider.Template, bool, error) {
	return orderUpdate, name == orderUpdate.Name && language == orderUpdate.Language, nil
}

// AuthorizationURL implements provider.Authorizer.
func (*Provider) AuthorizationURL(_ provider.Channel, _, state string) (string, bool) {
	return "https://provider.example/authorize?state=" + state, true
}

// Authorize implements provider.Authorizer.
func (*Provider) Authorize(context.Context, provider.Channel, string, string) (map[string]string, error) {
	return map[string]string{}, nil
}
