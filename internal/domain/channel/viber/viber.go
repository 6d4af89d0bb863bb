// Package viber connects channels to bots over Viber's REST API
// (https://developers.viber.com/docs/api/rest-bot-api).
package viber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// authToken is the credential of a bot. It also signs requests to the hook.
const authToken = "authToken"

// service names the provider in errors.
const service httpcall.Service = "Viber"

const (
	defaultBaseURL = "https://chatapi.viber.com"
	// maxText keeps a request below Viber's limit of 30 KB for all texts.
	maxText   = 7000
	maxSender = 28
	timeout   = 20 * time.Second
)

// Provider is the channel type VIBER.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Connector = (*Provider)(nil)
	_ provider.Fetcher   = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeVIBER }

// Rules implements provider.Provider. The API takes no idempotency key, and files only as
// public URLs.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{MaxLength: maxText, Split: true, Verified: true, Hook: true, Timeout: timeout}
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider. The schema has checked the settings one by one.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	if strings.ContainsAny(c.Credentials[authToken], " \t\r\n") {
		return []provider.Invalid{{Pointer: "/credentials/" + authToken, Message: "must not contain white space"}}
	}
	return nil
}

// config is the config of a channel.
type config struct {
	SenderName string `json:"senderName"`
	Greeting   string `json:"greeting"`
}

// configOf parses the config of a channel and fills in the name of the sender.
func configOf(c provider.Channel) (parsed config) {
	_ = json.Unmarshal(c.Config, &parsed) // what is absent has a default
	if parsed.SenderName == "" {
		parsed.SenderName = c.Name
	}
	if runes := []rune(parsed.SenderName); len(runes) > maxSender {
		parsed.SenderName = string(runes[:maxSender])
	}
	return parsed
}

// Send implements provider.Provider.
func (p *Provider) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	var result struct {
		Token json.Number `json:"message_token"` // too big for a float
	}
	err := p.call(ctx, c, "send_message", map[string]any{
		"receiver": m.To, "type": "text", "text": m.Text, "sender": map[string]string{"name": configOf(c).SenderName}, "min_api_version": 1,
	}, &result)
	if err != nil {
		return provider.Sent{}, err
	}
	if result.Token == "" {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "Viber's response has no message.", Ambiguous: true}
	}
	return provider.Sent{ExternalIDs: []string{result.Token.String()}}, nil
}

// Check implements provider.Provider: it returns the bot's name.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	var account struct {
		Name string `json:"name"`
	}
	err := p.call(ctx, c, "get_account_info", map[string]any{}, &account)
	return account.Name, err
}

// Connect implements provider.Connector. Viber calls the hook before it responds.
func (p *Provider) Connect(ctx context.Context, c provider.Channel) error {
	return p.call(ctx, c, "set_webhook", map[string]any{
		"url": c.HookURL, "send_name": true,
		"event_types": []string{"delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started"},
	}, nil)
}

// Disconnect implements provider.Connector.
func (p *Provider) Disconnect(ctx context.Context, c provider.Channel) error {
	return p.call(ctx, c, "set_webhook", map[string]any{"url": ""}, nil)
}

// Fetch implements provider.Fetcher. The URL of a file is its ID, and needs no token.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, from string) (provider.File, error) {
	target, err := url.Parse(from)
	if err != nil || !served(c, target) {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "The file is not at a server of Viber."}
	}
	file, failed := service.Download(ctx, p.Client, c, from, nil)
	if failed != nil {
		return provider.File{}, failed
	}
	file.Name = path.Base(target.Path)
	return file, nil
}

// served reports whether a file is at Viber, or where the channel's API is.
func served(c provider.Channel, target *url.URL) bool {
	base, err := url.Parse(httpcall.BaseURL(c, defaultBaseURL))
	return err == nil && target.Scheme == base.Scheme && target.Host == base.Host ||
		target.Scheme == "https" && strings.HasSuffix(target.Hostname(), ".viber.com")
}

// call calls a method of the API. Failures are in the body of a response with the status 200.
func (p *Provider) call(ctx context.Context, c provider.Channel, method string, parameters, result any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return fmt.Errorf("viber: %w", err)
	}
	response, err := p.Client.Do(ctx, apiclient.Request{
		Method: http.MethodPost, URL: httpcall.BaseURL(c, defaultBaseURL) + "/pa/" + method, Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "X-Viber-Auth-Token": {c.Credentials[authToken]}},
	})
	if err != nil {
		return service.NoResponse(c, err)
	}
	return parse(response, result)
}

func parse(response apiclient.Response, result any) error {
	var parsed struct {
		Status  *int   `json:"status"`
		Message string `json:"status_message"`
	}
	err := json.Unmarshal(response.Body, &parsed)
	switch {
	case response.Status >= http.StatusMultipleChoices && (err != nil || parsed.Status == nil || *parsed.Status == 0):
		return &provider.SendError{
			Kind: provider.Retryable, Code: strconv.Itoa(response.Status), Detail: fmt.Sprintf("Viber responded %d.", response.Status),
			Ambiguous: response.Status == http.StatusGatewayTimeout,
		}
	case err == nil && parsed.Status != nil && *parsed.Status != 0:
		return classify(*parsed.Status, parsed.Message)
	case err == nil && parsed.Status != nil && result != nil:
		err = json.Unmarshal(response.Body, result)
	case err == nil && parsed.Status == nil:
		err = errors.New("no status")
	}
	if err != nil {
		return &provider.SendError{Kind: provider.Retryable, Code: strconv.Itoa(response.Status), Detail: "Viber's response cannot be read.", Ambiguous: true, Cause: err}
	}
	return nil
}

// Statuses of the API (https://developers.viber.com/docs/api/rest-bot-api/#error-codes).
var kinds = map[int]provider.Kind{
	2: provider.Credentials, 7: provider.Credentials, 8: provider.Credentials, 9: provider.Credentials, 15: provider.Credentials,
	5: provider.Blocked, 6: provider.Blocked, 11: provider.Blocked, 12: provider.Retryable,
}

const tooManyRequests = 12

func classify(status int, message string) *provider.SendError {
	e := &provider.SendError{Kind: provider.Permanent, Code: strconv.Itoa(status), Detail: message}
	if kind, ok := kinds[status]; ok {
		e.Kind = kind
	}
	if status == tooManyRequests {
		e.WholeChannel, e.RetryAfter = true, time.Second
	}
	return e
}
