package slack_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestTheInstallationNamesTheApp(t *testing.T) {
	t.Parallel()
	a := newApp(t, respond(http.StatusOK, "{}"))
	_, ok := a.AuthorizationURL(a.channel, "https://convo.example/oauth", "s")
	require.False(t, ok, "the app has no client ID")
	a.channel.APIBaseURL, a.channel.Config = "", json.RawMessage(`{"clientId":"1.2","teamId":"T1"}`)
	_, ok = a.AuthorizationURL(a.channel, "https://convo.example/oauth", "s")
	require.False(t, ok, "the app has no client secret")
	a.channel.Credentials = map[string]string{"clientSecret": "x"}
	page, ok := a.AuthorizationURL(a.channel, "https://convo.example/oauth", "s")
	require.True(t, ok)
	parsed, err := url.Parse(page)
	require.NoError(t, err)
	require.Equal(t, "slack.com/oauth/v2/authorize", parsed.Host+parsed.Path)
	require.Equal(t, url.Values{
		"client_id": {"1.2"}, "team": {"T1"}, "state": {"s"}, "redirect_uri": {"https://convo.example/oauth"},
		"scope": {"app_mentions:read,channels:history,chat:write,files:read,files:write,im:history"},
	}, parsed.Query())
	require.Empty(t, a.Validate(a.channel), "the token follows")
	_, err = a.Check(t.Context(), a.channel)
	require.ErrorContains(t, err, "not installed yet")
}

func TestOnlyALastingTokenOfTheTeamIsAccepted(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"ok":true,"access_token":"xoxb-1","token_type":"bot","team":{"id":"T1"}}`:                    "",
		`{"ok":true,"access_token":"xoxb-1","token_type":"bot","team":{"id":"T2"}}`:                    "another Slack workspace: T2",
		`{"ok":true,"access_token":"xoxe-1","token_type":"bot","team":{"id":"T1"},"expires_in":43200}`: "rotates its tokens",
		`{"ok":true,"access_token":"xoxp-1","token_type":"user","team":{"id":"T1"}}`:                   "no bot token",
		`{"ok":true,"token_type":"bot","team":{"id":"T1"}}`:                                            "no bot token",
		`{"ok":false,"error":"invalid_code"}`:                                                          "invalid_code",
	} {
		a := newApp(t, respond(http.StatusOK, body))
		a.channel.Config, a.channel.Credentials = json.RawMessage(`{"clientId":"1.2","teamId":"T1"}`), map[string]string{"clientSecret": "secret"}
		granted, err := a.Authorize(t.Context(), a.channel, "https://convo.example/oauth", "c0de")
		require.Equal(t, "/api/oauth.v2.access", a.path)
		require.Equal(t, "Basic MS4yOnNlY3JldA==", a.authorization)
		require.Equal(t, "code=c0de&redirect_uri=https%3A%2F%2Fconvo.example%2Foauth", a.body)
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, map[string]string{"botToken": "xoxb-1"}, granted)
			continue
		}
		require.ErrorContains(t, err, want)
		var failed *provider.SendError
		require.ErrorAs(t, err, &failed)
		require.False(t, failed.Ambiguous)
	}
}
