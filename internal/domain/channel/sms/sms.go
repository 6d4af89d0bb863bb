// Package sms connects channels to phone numbers at Twilio, for text messages
// (https://www.twilio.com/docs/messaging).
package sms

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/twilio"
	"github.com/avelto/convo/internal/platform/apiclient"
)

const (
	maxText = 1600
	// Twilio queues what a number cannot send immediately; these keep the queue short.
	interval        = 100 * time.Millisecond
	contactInterval = time.Second
	timeout         = 20 * time.Second
)

var mediaPattern = regexp.MustCompile(`^/2010-04-01/Accounts/AC[0-9a-f]{32}/Messages/[A-Z]{2}[0-9a-f]{32}/Media/ME[0-9a-f]{32}$`)

// Provider is the channel type SMS.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Initiator = (*Provider)(nil)
	_ provider.Connector = (*Provider)(nil)
	_ provider.Fetcher   = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeSMS }

// Rules implements provider.Provider. Twilio has no idempotency key for messages. It downloads
// the files of messages from public URLs, which attachments do not have. Senders can be forged.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Split: true, Initiate: true, Hook: true, Interval: interval, ContactInterval: contactInterval, Timeout: timeout,
	}
}

type config struct {
	From                string `json:"from"`
	MessagingServiceSID string `json:"messagingServiceSid"`
}

func configOf(c provider.Channel) (config, error) {
	var parsed config
	if err := json.Unmarshal(c.Config, &parsed); err != nil {
		return parsed, fmt.Errorf("sms: config: %w", err)
	}
	return parsed, nil
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the form of the settings.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	settings, err := configOf(c)
	if err != nil || settings.From == "" && settings.MessagingServiceSID == "" {
		return []provider.Invalid{{Pointer: "/config/from", Message: "is required without messagingServiceSid"}}
	}
	return nil
}

// Recipient implements provider.Initiator.
func (*Provider) Recipient(to string) (provider.Identity, bool) { return twilio.Recipient(to) }

// Check implements provider.Provider: it returns the name of the account.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	return twilio.Check(ctx, p.Client, c)
}

// Connect implements provider.Connector: texts to the number go to the channel's hook. A
// messaging service has settings of its own.
func (p *Provider) Connect(ctx context.Context, c provider.Channel) error {
	return p.setURL(ctx, c, c.HookURL)
}

// Disconnect implements provider.Connector.
func (p *Provider) Disconnect(ctx context.Context, c provider.Channel) error {
	return p.setURL(ctx, c, "")
}

func (p *Provider) setURL(ctx context.Context, c provider.Channel, to string) error {
	settings, err := configOf(c)
	if err != nil {
		return err
	}
	return twilio.SetNumber(ctx, p.Client, c, settings.From, url.Values{"SmsUrl": {to}, "SmsMethod": {http.MethodPost}})
}

// Send implements provider.Provider.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	settings, err := configOf(c)
	if err != nil {
		return provider.Sent{}, &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
	}
	form := url.Values{"To": {m.To}, "Body": {m.Text}, "StatusCallback": {c.HookURL}}
	if settings.From != "" {
		form.Set("From", settings.From)
	}
	if settings.MessagingServiceSID != "" {
		form.Set("MessagingServiceSid", settings.MessagingServiceSID)
	}
	var created struct {
		SID string `json:"sid"`
	}
	err = twilio.Post(ctx, p.Client, c, "/Messages.json", form, &created)
	if failed, ok := err.(*provider.SendError); ok { //nolint:errorlint // Post returns no wrapped one
		count, encoding := Segments(m.Text)
		failed.Detail += fmt.Sprintf(" [%d segments, %s]", count, encoding)
	}
	if err != nil {
		return provider.Sent{}, err
	}
	if created.SID == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "Twilio's response names no message.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{created.SID}}, nil
}

// Fetch implements provider.Fetcher. Twilio redirects to where the file is, and that place
// does not get the credentials.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, path string) (provider.File, error) {
	if !mediaPattern.MatchString(path) {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "This is not a file at Twilio."}
	}
	header, err := twilio.Authorization(c)
	if err != nil {
		return provider.File{}, err
	}
	response, err := p.Client.Open(ctx, apiclient.Request{Method: http.MethodGet, URL: twilio.Base(c) + path, Header: header})
	if err == nil && response.StatusCode >= http.StatusMultipleChoices && response.StatusCode < http.StatusBadRequest {
		_ = response.Body.Close()
		var to *url.URL
		if to, err = response.Location(); err == nil {
			response, err = p.Client.Open(ctx, apiclient.Request{Method: http.MethodGet, URL: to.String()}) //nolint:bodyclose // who gets the file closes it
		}
	}
	if err != nil {
		return provider.File{}, twilio.Service.NoResponse(c, err)
	}
	file, failed := twilio.Service.File(response)
	if failed != nil {
		return provider.File{}, failed
	}
	return file, nil
}
