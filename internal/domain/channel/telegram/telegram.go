// Package telegram connects channels to Telegram bots (https://core.telegram.org/bots/api).
package telegram

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Credentials of a channel.
const (
	// botToken is what @BotFather gave out.
	botToken = "botToken"
	// hookSecret comes with every request to the hook.
	hookSecret = "hookSecret"
)

// service names the provider in errors.
const service httpcall.Service = "Telegram"

const (
	defaultBaseURL = "https://api.telegram.org"
	maxText        = 4096
	maxSecret      = 256
	// Telegram's limits: about 30 messages a second of a bot, and one to a chat.
	botInterval  = time.Second / 30
	chatInterval = time.Second
	timeout      = 20 * time.Second
)

var (
	tokenPattern  = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{30,64}$`)
	secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,256}$`)
)

// Provider is the channel type TELEGRAM.
type Provider struct{ Client *apiclient.Client }

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Completer = (*Provider)(nil)
	_ provider.Connector = (*Provider)(nil)
	_ provider.Fetcher   = (*Provider)(nil)
)

// Type implements provider.Provider.
func (*Provider) Type() api.ChannelType { return api.ChannelTypeTELEGRAM }

// Rules implements provider.Provider. Bots cannot write first, and sendMessage takes no
// idempotency key.
func (*Provider) Rules() provider.Rules {
	return provider.Rules{
		MaxLength: maxText, Split: true, Verified: true, Attachments: true, Hook: true,
		Interval: botInterval, ContactInterval: chatInterval, Timeout: timeout,
	}
}

// Complete implements provider.Completer: it generates the secret of the hook.
func (*Provider) Complete(c provider.Channel) {
	if c.Credentials[hookSecret] == "" {
		c.Credentials[hookSecret] = rand.Text() + rand.Text()
	}
}

// Addresses implements provider.Provider.
func (*Provider) Addresses() []provider.Address { return nil }

// Validate implements provider.Provider.
func (*Provider) Validate(c provider.Channel) []provider.Invalid {
	var invalid []provider.Invalid
	if !tokenPattern.MatchString(c.Credentials[botToken]) {
		invalid = append(invalid, provider.Invalid{Pointer: "/credentials/" + botToken, Message: "must be the token that @BotFather gave out, such as 123456:ABC-DEF…"})
	}
	if secret, ok := c.Credentials[hookSecret]; ok && !secretPattern.MatchString(secret) {
		invalid = append(invalid, provider.Invalid{
			Pointer: "/credentials/" + hookSecret,
			Message: fmt.Sprintf("must have 16 to %d letters, digits, underscores or hyphens", maxSecret),
		})
	}
	return invalid
}

// Check implements provider.Provider: it returns the bot's name.
func (p *Provider) Check(ctx context.Context, c provider.Channel) (string, error) {
	var me struct {
		Username string `json:"username"`
	}
	if err := p.call(ctx, c, "getMe", struct{}{}, &me); err != nil {
		return "", err
	}
	return "@" + me.Username, nil
}

// Connect implements provider.Connector by setWebhook.
func (p *Provider) Connect(ctx context.Context, c provider.Channel) error {
	return p.call(ctx, c, "setWebhook", map[string]any{
		"url": c.HookURL, "secret_token": c.Credentials[hookSecret],
		"allowed_updates": []string{"message", "edited_message", "my_chat_member"},
	}, nil)
}

// Disconnect implements provider.Connector by deleteWebhook.
func (p *Provider) Disconnect(ctx context.Context, c provider.Channel) error {
	return p.call(ctx, c, "deleteWebhook", struct{}{}, nil)
}

// Fetch implements provider.Fetcher by getFile. Telegram serves files of up to 20 MB.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, fileID string) (provider.File, error) {
	var file struct {
		Path string `json:"file_path"`
		Size int64  `json:"file_size"`
	}
	if err := p.call(ctx, c, "getFile", map[string]string{"file_id": fileID}, &file); err != nil {
		return provider.File{}, err
	}
	if file.Path == "" || strings.Contains(file.Path, "..") {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "Telegram no longer has the file."}
	}
	found, failed := service.Download(ctx, p.Client, c, httpcall.BaseURL(c, defaultBaseURL)+"/file/bot"+c.Credentials[botToken]+"/"+file.Path, nil)
	if failed != nil {
		return provider.File{}, failed
	}
	// All files have the same media type there.
	found.Name, found.ContentType = file.Path[strings.LastIndexByte(file.Path, '/')+1:], ""
	return found, nil
}

// call calls a method of the Bot API with a JSON body.
func (p *Provider) call(ctx context.Context, c provider.Channel, method string, parameters, result any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return fmt.Errorf("telegram: %w", err)
	}
	return p.post(ctx, c, method, "application/json", body, result)
}

func (p *Provider) post(ctx context.Context, c provider.Channel, method, contentType string, body []byte, result any) error {
	response, err := p.Client.Do(ctx, apiclient.Request{
		Method: http.MethodPost, URL: httpcall.BaseURL(c, defaultBaseURL) + "/bot" + c.Credentials[botToken] + "/" + method,
		Header: http.Header{"Content-Type": {contentType}}, Body: body,
	})
	if err != nil {
		return service.NoResponse(c, err)
	}
	return parseResponse(response, result)
}
