package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// clientSecret is the credential of an app that is installed by OAuth.
const clientSecret = "clientSecret"

// scopes are what the bot needs: to receive direct messages, mentions and messages in rooms, to
// send, and files both ways.
const scopes = "app_mentions:read,channels:history,chat:write,files:read,files:write,im:history"

// config is the config of a channel.
type config struct {
	// Team is the Slack workspace that the channel is limited to; empty for any.
	Team     string `json:"teamId"`
	ClientID string `json:"clientId"`
}

func configOf(c provider.Channel) (parsed config) {
	_ = json.Unmarshal(c.Config, &parsed) // the schema has checked it
	return parsed
}

// authorizable reports whether the app can be installed by OAuth.
func authorizable(c provider.Channel) bool {
	return configOf(c).ClientID != "" && c.Credentials[clientSecret] != ""
}

// AuthorizationURL implements provider.Authorizer.
func (*Provider) AuthorizationURL(c provider.Channel, redirectURL, state string) (string, bool) {
	settings := configOf(c)
	query := url.Values{"client_id": {settings.ClientID}, "scope": {scopes}, "redirect_uri": {redirectURL}, "state": {state}}
	if settings.Team != "" {
		query.Set("team", settings.Team)
	}
	return httpcall.BaseURL(c, defaultBaseURL) + "/oauth/v2/authorize?" + query.Encode(), authorizable(c)
}

// Authorize implements provider.Authorizer by oauth.v2.access.
func (p *Provider) Authorize(ctx context.Context, c provider.Channel, redirectURL, code string) (map[string]string, error) {
	settings, header := configOf(c), http.Header{}
	basic := &http.Request{Header: header}
	basic.SetBasicAuth(settings.ClientID, c.Credentials[clientSecret])
	var granted struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Team    struct {
			ID string `json:"id"`
		} `json:"team"`
	}
	if err := p.submit(ctx, c, "oauth.v2.access", header, url.Values{"code": {code}, "redirect_uri": {redirectURL}}, &granted); err != nil {
		return nil, err
	}
	switch {
	case granted.Type != "bot" || !tokenPattern.MatchString(granted.Token):
		return nil, &provider.SendError{Kind: provider.Permanent, Detail: "Slack granted no bot token."}
	case granted.Expires > 0:
		return nil, &provider.SendError{Kind: provider.Permanent, Detail: "The app rotates its tokens, which is not supported. Create an app without token rotation."}
	case settings.Team != "" && settings.Team != granted.Team.ID:
		return nil, &provider.SendError{Kind: provider.Permanent, Detail: "The app was installed in another Slack workspace: " + granted.Team.ID + "."}
	}
	return map[string]string{botToken: granted.Token}, nil
}
