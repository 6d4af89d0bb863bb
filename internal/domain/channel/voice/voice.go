// Package voice connects channels to phone numbers at Twilio, for calls
// (https://www.twilio.com/docs/voice). Twilio transcribes what callers say (<Gather>) and
// speaks what is sent to them (<Say>), or does both over a WebSocket (<ConversationRelay>).
package voice

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/platform/apiclient"
)

const (
	// maxText leaves room in maxTwiML for what surrounds a text.
	maxText = 2000
	// maxTwiML is the longest TwiML of a call that Twilio accepts, in characters.
	maxTwiML = 4000
	// contactInterval lets a text begin to be spoken before the next one interrupts it.
	contactInterval = 2 * time.Second
	timeout         = 20 * time.Second

	defaultLanguage = "en-US"
	defaultGreeting = "Hello. How can we help you?"
	// gather is the mode in which each utterance is a request of its own, and relay the one in
	// which Twilio opens a WebSocket.
	gather, relay = "gather", "relay"
)

// Provider is the channel type VOICE.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider   = (*Provider)(nil)
	_ provider.Initiator  = (*Provider)(nil)
	_ provider.Connector  = (*Provider)(nil)
	_ provider.Conversing = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeVOICE }

// Rules implements provider.Provider. What is sent twice is spoken twice. Numbers of callers
// can be forged.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{MaxLength: maxText, Initiate: true, References: true, Hook: true, ContactInterval: contactInterval, Timeout: timeout}
}

// config is the config of a channel.
type config struct {
	From     string `json:"from"`
	Mode     string `json:"mode"`
	Language string `json:"language"`
	Voice    string `json:"voice"`
	Greeting string `json:"greeting"`
}

// configOf parses the config of a channel and fills in what is absent.
func configOf(c provider.Channel) (config, error) {
	var parsed config
	if err := json.Unmarshal(c.Config, &parsed); err != nil {
		return parsed, fmt.Errorf("voice: config: %w", err)
	}
	parsed.Language = cmp.Or(parsed.Language, defaultLanguage)
	parsed.Greeting = cmp.Or(parsed.Greeting, defaultGreeting)
	parsed.Mode = cmp.Or(parsed.Mode, gather)
	return parsed, nil
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the form of the settings.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	settings, err := configOf(c)
	switch {
	case err != nil || !twilio.Number.MatchString(settings.From):
		return []provider.Invalid{{Pointer: "/config/from", Message: "must be a phone number such as +48123456789"}}
	case settings.Mode != gather && settings.Mode != relay:
		return []provider.Invalid{{Pointer: "/config/mode", Message: "must be gather or relay"}}
	}
	return nil
}

// Recipient implements provider.Initiator.
func (*Provider) Recipient(to string) (provider.Identity, bool) { return twilio.Recipient(to) }

// Check implements provider.Provider: it returns the name of the account.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	return twilio.Check(ctx, p.Client, c)
}

// Connect implements provider.Connector: calls to the number go to the channel's hook.
func (p *Provider) Connect(ctx context.Context, c provider.Channel) error {
	return p.setURLs(ctx, c, c.HookURL, twilio.HookURL(c, url.Values{eventKey: {statusEvent}}))
}

// Disconnect implements provider.Connector.
func (p *Provider) Disconnect(ctx context.Context, c provider.Channel) error {
	return p.setURLs(ctx, c, "", "")
}

func (p *Provider) setURLs(ctx context.Context, c provider.Channel, calls, statuses string) error {
	settings, err := configOf(c)
	if err != nil {
		return err
	}
	return twilio.SetNumber(ctx, p.Client, c, settings.From, url.Values{
		"VoiceUrl": {calls}, "VoiceMethod": {http.MethodPost}, "StatusCallback": {statuses}, "StatusCallbackMethod": {http.MethodPost},
	})
}
