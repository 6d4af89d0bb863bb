// Package messenger connects channels to Facebook pages over the Send API of Messenger
// (https://developers.facebook.com/docs/messenger-platform).
package messenger

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/meta"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// pageAccessToken is the credential of a page.
const pageAccessToken = "pageAccessToken"

const (
	// maxText is one less than where the Send API refuses texts.
	maxText = 1999
	window  = 24 * time.Hour
	// humanWindow is how long operators may reply with the tag HUMAN_AGENT.
	humanWindow = 7 * 24 * time.Hour
	timeout     = 30 * time.Second
)

// Provider is the channel type MESSENGER.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider     = (*Provider)(nil)
	_ provider.Configurable = (*Provider)(nil)
	_ provider.Connector    = (*Provider)(nil)
	_ provider.Fetcher      = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeMESSENGER }

// Rules implements provider.Provider. The API takes no idempotency key.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{MaxLength: maxText, Split: true, Window: window, Verified: true, Attachments: true, Hook: true, Timeout: timeout}
}

// RulesFor implements provider.Configurable.
func (p *Provider) RulesFor(raw json.RawMessage) provider.Rules {
	rules := p.Rules()
	if settings, err := configOf(raw); err == nil && settings.HumanAgentTag {
		rules.Window = humanWindow
	}
	return rules
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the settings one by one.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	if strings.ContainsAny(c.Credentials[pageAccessToken], " \t\r\n") {
		return []provider.Invalid{{Pointer: "/credentials/" + pageAccessToken, Message: "must not contain white space"}}
	}
	return nil
}

// config is the config of a channel.
type config struct {
	PageID        string `json:"pageId"`
	HumanAgentTag bool   `json:"humanAgentTag"`
}

func configOf(raw json.RawMessage) (parsed config, err error) {
	if err = json.Unmarshal(raw, &parsed); err != nil || parsed.PageID == "" {
		return parsed, &provider.SendError{Kind: provider.Credentials, Detail: "The settings of the channel are invalid.", Cause: err}
	}
	return parsed, nil
}

// Codes of the Send API (https://developers.facebook.com/docs/messenger-platform/error-codes).
const (
	personUnavailable = 551
	outsideWindow     = 2018278
	noSuchPerson      = 2018001
	tooManyOfPage     = 32
	tooManyOfApp      = 80006
	temporary         = 1200
)

func kindOf(code, subcode int) (provider.Kind, bool) {
	switch {
	case subcode == outsideWindow:
		return provider.WindowClosed, true
	case subcode == noSuchPerson, code == personUnavailable:
		return provider.Blocked, true
	case code == tooManyOfPage, code == tooManyOfApp, code == temporary:
		return provider.Retryable, true
	}
	return "", false
}

// do calls the API about the page.
func (p *Provider) do(ctx context.Context, c provider.Channel, call meta.Call, result any) error {
	separator := "?"
	if strings.Contains(call.Path, "?") {
		separator = "&"
	}
	call.Path += separator + "access_token=" + url.QueryEscape(c.Credentials[pageAccessToken])
	return meta.Graph{Client: p.Client, Kind: kindOf}.Do(ctx, c, call, result)
}

// Check implements provider.Provider: it returns the name of the page.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	settings, err := configOf(c.Config)
	if err != nil {
		return "", err
	}
	var page struct {
		Name string `json:"name"`
	}
	err = p.do(ctx, c, meta.Call{Method: http.MethodGet, Path: "/" + settings.PageID + "?fields=name", Safe: true}, &page)
	return page.Name, err
}

// Connect implements provider.Connector: the app receives what is written to the page. The
// hook's URL and the verify token are entered in the app's dashboard.
func (p *Provider) Connect(ctx context.Context, c provider.Channel) error {
	return p.subscribe(ctx, c, http.MethodPost, "?subscribed_fields=messages,message_edits,messaging_postbacks,message_deliveries,message_reads")
}

// Disconnect implements provider.Connector.
func (p *Provider) Disconnect(ctx context.Context, c provider.Channel) error {
	return p.subscribe(ctx, c, http.MethodDelete, "")
}

func (p *Provider) subscribe(ctx context.Context, c provider.Channel, method, query string) error {
	settings, err := configOf(c.Config)
	if err != nil {
		return err
	}
	var result struct{}
	return p.do(ctx, c, meta.Call{Method: method, Path: "/" + settings.PageID + "/subscribed_apps" + query, Safe: true}, &result)
}

// Fetch implements provider.Fetcher. The URL of a file is its ID, and needs no token.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, from string) (provider.File, error) {
	return meta.Graph{Client: p.Client, Kind: kindOf}.Download(ctx, c, from, nil)
}
