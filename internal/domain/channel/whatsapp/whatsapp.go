// Package whatsapp connects channels to business numbers over the Cloud API of WhatsApp
// (https://developers.facebook.com/docs/whatsapp/cloud-api).
package whatsapp

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// accessToken is the credential of a system user.
const accessToken = "accessToken"

const (
	maxText = 4096
	window  = 24 * time.Hour
	// interval is Meta's limit of about 45 messages a second of a number.
	interval = time.Second / 45
	timeout  = 30 * time.Second
)

// Provider is the channel type WHATSAPP.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider     = (*Provider)(nil)
	_ provider.Configurable = (*Provider)(nil)
	_ provider.Fetcher      = (*Provider)(nil)
	_ provider.Templater    = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeWHATSAPP }

// Rules implements provider.Provider. The API takes no idempotency key.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Split: true, Window: window, Verified: true, Attachments: true, Hook: true, Interval: interval, Timeout: timeout,
	}
}

// RulesFor implements provider.Configurable. After the window, templates alone are accepted:
// those of a business account, if the channel names one.
func (p *Provider) RulesFor(raw json.RawMessage) provider.Rules {
	var parsed config
	rules := p.Rules()
	rules.Templates = json.Unmarshal(raw, &parsed) == nil && parsed.BusinessAccountID != ""
	return rules
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the settings one by one.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	if strings.ContainsAny(c.Credentials[accessToken], " \t\r\n") {
		return []provider.Invalid{{Pointer: "/credentials/" + accessToken, Message: "must not contain white space"}}
	}
	return nil
}

// config is the config of a channel.
type config struct {
	PhoneNumberID     string `json:"phoneNumberId"`
	BusinessAccountID string `json:"businessAccountId"`
}

func configOf(c provider.Channel) (parsed config, err error) {
	if err = json.Unmarshal(c.Config, &parsed); err != nil || parsed.PhoneNumberID == "" {
		return parsed, &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
	}
	return parsed, nil
}

// Codes of the Cloud API
// (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes).
var kinds = map[int]provider.Kind{
	3: provider.Credentials, 131005: provider.Credentials, 131031: provider.Credentials, 133010: provider.Credentials,
	130429: provider.Retryable, 80007: provider.Retryable, 131048: provider.Retryable, 131000: provider.Retryable, 131016: provider.Retryable, 131057: provider.Retryable,
	// Too many messages to one contact: wait 4^n seconds, which the engine's waits exceed.
	131056: provider.Retryable,
	// Another attempt within a day fails as well.
	131049: provider.Permanent,
	131047: provider.WindowClosed,
	131050: provider.Blocked,
}

func (p *Provider) graph() meta.Graph {
	return meta.Graph{Client: p.Client, Kind: func(code, _ int) (provider.Kind, bool) {
		kind, ok := kinds[code]
		return kind, ok
	}}
}

func bearer(c provider.Channel) http.Header {
	return http.Header{"Authorization": {"Bearer " + c.Credentials[accessToken]}}
}

// Check implements provider.Provider: it returns the name of the number.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	settings, err := configOf(c)
	if err != nil {
		return "", err
	}
	var found struct {
		Name   string `json:"verified_name"`
		Number string `json:"display_phone_number"`
	}
	call := meta.Call{Method: http.MethodGet, Path: "/" + settings.PhoneNumberID + "?fields=verified_name,display_phone_number", Header: bearer(c), Safe: true}
	err = p.graph().Do(ctx, c, call, &found)
	return cmp.Or(found.Name, found.Number), err
}

// Fetch implements provider.Fetcher. Meta keeps files for 30 days.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, mediaID string) (provider.File, error) {
	if strings.Trim(mediaID, "0123456789") != "" {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "WhatsApp has no such file."}
	}
	var found struct {
		URL         string `json:"url"`
		ContentType string `json:"mime_type"`
	}
	if err := p.graph().Do(ctx, c, meta.Call{Method: http.MethodGet, Path: "/" + mediaID, Header: bearer(c), Safe: true}, &found); err != nil {
		return provider.File{}, err
	}
	file, err := p.graph().Download(ctx, c, found.URL, bearer(c))
	file.Name, file.ContentType = "", cmp.Or(found.ContentType, file.ContentType)
	return file, err
}
