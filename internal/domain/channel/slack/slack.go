// Package slack connects channels to Slack apps: the Events API receives, the Web API sends
// (https://api.slack.com).
package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Credentials of a channel.
const (
	botToken      = "botToken"
	signingSecret = "signingSecret"
)

// service names the provider in errors.
const service httpcall.Service = "Slack"

const (
	defaultBaseURL = "https://slack.com"
	// filesURL is where files are; the token goes nowhere else.
	filesURL = "https://files.slack.com"
	// maxText is what Slack recommends; it cuts texts of more than 40,000 characters.
	maxText = 4000
	// Slack's limits: about a message a second to a conversation, and some hundreds a minute
	// in a workspace.
	interval        = 100 * time.Millisecond
	contactInterval = time.Second
	timeout         = 20 * time.Second
)

var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Provider is the channel type SLACK.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider   = (*Provider)(nil)
	_ provider.Fetcher    = (*Provider)(nil)
	_ provider.Authorizer = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeSLACK }

// Rules implements provider.Provider. chat.postMessage has no idempotency key.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Split: true, Verified: true, Attachments: true, Hook: true, Interval: interval, ContactInterval: contactInterval, Timeout: timeout,
	}
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the signing secret.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	if c.Credentials[botToken] == "" && authorizable(c) {
		return nil
	}
	if !tokenPattern.MatchString(c.Credentials[botToken]) {
		return []provider.Invalid{{Pointer: "/credentials/" + botToken, Message: "must be a token, such as xoxb-…, unless clientId and clientSecret are set"}}
	}
	return nil
}

// Check implements provider.Provider: it returns the names of the workspace and of the bot.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	if c.Credentials[botToken] == "" {
		return "", &provider.SendError{Kind: provider.Credentials, Detail: "The app is not installed yet: open the page that POST /channels/{id}/authorization returns."}
	}
	var found struct {
		Team   string `json:"team"`
		TeamID string `json:"team_id"`
		User   string `json:"user"`
	}
	if err := p.call(ctx, c, "auth.test", struct{}{}, &found); err != nil {
		return "", err
	}
	if team := configOf(c).Team; team != "" && team != found.TeamID {
		return "", &provider.SendError{Kind: provider.Credentials, Detail: "The token is of another Slack workspace: " + found.TeamID + "."}
	}
	return found.Team + " @" + found.User, nil
}

// call calls a method of the Web API with JSON.
func (p *Provider) call(ctx context.Context, c provider.Channel, method string, parameters, result any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return fmt.Errorf("slack: %w", err)
	}
	header := authorization(c)
	header.Set("Content-Type", "application/json; charset=utf-8")
	return p.post(ctx, c, method, header, body, result)
}

// submit calls a method of the Web API that accepts no JSON. It changes nothing that others
// see, so it can be made again.
func (p *Provider) submit(ctx context.Context, c provider.Channel, method string, header http.Header, parameters url.Values, result any) error {
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	return safe(p.post(ctx, c, method, header, []byte(parameters.Encode()), result))
}

func (p *Provider) post(ctx context.Context, c provider.Channel, method string, header http.Header, body []byte, result any) error {
	response, err := p.Client.Do(ctx, apiclient.Request{Method: http.MethodPost, URL: httpcall.BaseURL(c, defaultBaseURL) + "/api/" + method, Header: header, Body: body})
	if err != nil {
		return service.NoResponse(c, err)
	}
	return parseResponse(response, result)
}

func authorization(c provider.Channel) http.Header {
	return http.Header{"Authorization": {"Bearer " + c.Credentials[botToken]}}
}
