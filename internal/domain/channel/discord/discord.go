// Package discord connects channels to Discord bots: the Gateway and interactions receive,
// the HTTP API sends (https://discord.com/developers/docs).
package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// botToken is the credential of a channel.
const botToken = "botToken"

// service names the provider in errors.
const service httpcall.Service = "Discord"

const (
	defaultBaseURL = "https://discord.com/api/v10"
	filesURL       = "https://cdn.discordapp.com"
	maxText        = 2000
	// Discord's limits: 50 requests a second of a bot, and about 5 messages in 5 s to a room.
	interval        = 25 * time.Millisecond
	contactInterval = time.Second
	timeout         = 30 * time.Second
)

var (
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	snowflake    = regexp.MustCompile(`^[0-9]{1,20}$`)
)

// Provider is the channel type DISCORD.
type Provider struct {
	Client *apiclient.Client
	Guard  *egress.Guard
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Fetcher  = (*Provider)(nil)
	_ provider.Listener = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeDISCORD }

// Rules implements provider.Provider. Discord recognizes the nonce of a message for some
// minutes, in which it is sent once however often it is tried.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Split: true, Idempotent: true, Verified: true, Attachments: true, Hook: true,
		Interval: interval, ContactInterval: contactInterval, Timeout: timeout,
	}
}

// config is the config of a channel.
type config struct {
	PublicKey  string `json:"publicKey"`
	Gateway    *bool  `json:"gateway"`
	GatewayURL string `json:"gatewayUrl"`
}

func configOf(c provider.Channel) (config, error) {
	var parsed config
	if err := json.Unmarshal(c.Config, &parsed); err != nil {
		return parsed, fmt.Errorf("discord: config: %w", err)
	}
	return parsed, nil
}

// publicKey is what verifies interactions; nil if there is none.
func (s config) publicKey() ed25519.PublicKey {
	key, err := hex.DecodeString(s.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil
	}
	return key
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address {
	return []provider.Address{{Setting: []string{"gatewayUrl"}, Credentials: []string{botToken}}}
}

// Validate implements provider.Provider.
func (p *Provider) Validate(c provider.Channel) (invalid []provider.Invalid) {
	settings, err := configOf(c)
	if err != nil || settings.publicKey() == nil {
		invalid = append(invalid, provider.Invalid{Pointer: "/config/publicKey", Message: "must have 64 hexadecimal digits"})
	}
	if !tokenPattern.MatchString(c.Credentials[botToken]) {
		invalid = append(invalid, provider.Invalid{Pointer: "/credentials/" + botToken, Message: "must be the token of a bot"})
	}
	if settings.GatewayURL != "" {
		if reason := p.checkGateway(settings.GatewayURL); reason != "" {
			invalid = append(invalid, provider.Invalid{Pointer: "/config/gatewayUrl", Message: reason})
		}
	}
	return invalid
}

// checkGateway returns why the Gateway cannot be at a URL; empty if it can.
func (p *Provider) checkGateway(at string) string {
	rest, ok := strings.CutPrefix(at, "ws")
	if !ok {
		return "must be a wss URL"
	}
	return p.Guard.CheckURL("http" + rest)
}

// Check implements provider.Provider: it returns the bot's name.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	var me struct {
		Username string `json:"username"`
	}
	if err := p.call(ctx, c, apiclient.Request{Method: http.MethodGet, URL: "/users/@me"}, &me); err != nil {
		return "", err
	}
	return "@" + me.Username, nil
}

// Fetch implements provider.Fetcher: path is that of the file's URL, which is signed.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, path string) (provider.File, error) {
	at := filesURL
	if base, err := url.Parse(c.APIBaseURL); err == nil && base.Host != "" {
		at = base.Scheme + "://" + base.Host
	}
	if !strings.HasPrefix(path, "/") {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "This is not a file at Discord."}
	}
	file, failed := service.Download(ctx, p.Client, c, at+path, nil)
	if failed == nil {
		return file, nil
	}
	if code, _ := strconv.Atoi(failed.Code); code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusTooManyRequests {
		failed.Kind = provider.Permanent // the URL has expired, or the file was deleted
	}
	return provider.File{}, failed
}

// call calls the HTTP API. The URL of r is the path.
func (p *Provider) call(ctx context.Context, c provider.Channel, r apiclient.Request, result any) error {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", "Bot "+c.Credentials[botToken])
	r.URL = httpcall.BaseURL(c, defaultBaseURL) + r.URL
	response, err := p.Client.Do(ctx, r)
	if err != nil {
		return service.NoResponse(c, err)
	}
	if response.Status < http.StatusOK || response.Status >= http.StatusMultipleChoices {
		return classify(response)
	}
	if err := json.Unmarshal(response.Body, result); err != nil {
		return service.Unreadable(err)
	}
	return nil
}
