package hooks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/slack"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/apitest"
)

// installation is a server with a channel for a simulated Slack app that is not installed.
type installation struct {
	*apitest.Server

	token     string
	simulated *httptest.Server
	channel   api.ChannelDetail
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	f := &installation{simulated: httptest.NewServer(simulator.NewSlack()), Server: apitest.New(t, apitest.Options{
		PublicURL: true, Config: apitest.Config{AllowedTargets: []string{"127.0.0.0/8"}},
		Providers: provider.NewRegistry(website.Provider{}, &slack.Provider{Client: client}),
	})}
	t.Cleanup(f.simulated.Close)
	f.token = f.Token(t, f.Workspace(t, "shop"))
	f.channel = f.create(t)
	return f
}

func (f *installation) create(t *testing.T) api.ChannelDetail {
	t.Helper()
	agent := apitest.Decode[api.AgentDetail](t, f.Post(t, f.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	settings := simulator.NewSlack().Settings()
	delete(settings.Credentials, "botToken")
	created := apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", map[string]any{
		"type": "SLACK", "name": "Support", "agentId": agent, "apiBaseUrl": f.simulated.URL, "config": settings.Config, "credentials": settings.Credentials,
	}).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusERROR, created.Status)
	require.Contains(t, created.Error.Message, "not installed yet")
	return created
}

func (f *installation) status(t *testing.T) api.ChannelStatus {
	t.Helper()
	return apitest.Decode[api.ChannelDetail](t, f.Get(t, f.token, "/channels/"+f.channel.ID.String()).Want(t, http.StatusOK)).Status
}

// begin returns where Slack leads the browser after the app was installed.
func (f *installation) begin(t *testing.T, channel uuid.UUID) *url.URL {
	t.Helper()
	begun := apitest.Decode[api.ChannelAuthorization](t, f.Post(t, f.token, "/channels/"+channel.String()+"/authorization", nil).Want(t, http.StatusOK))
	require.Equal(t, f.Clock.Now().Add(10*time.Minute), begun.ExpiresAt.Time)
	require.True(t, strings.HasPrefix(begun.URL, f.simulated.URL+"/oauth/v2/authorize?"), begun.URL)
	response := visit(t, begun.URL)
	require.Equal(t, http.StatusFound, response.status)
	require.True(t, strings.HasPrefix(response.location.String(), *f.channel.HookURL+"/oauth?") || channel != f.channel.ID)
	return response.location
}

type visited struct {
	status   int
	header   http.Header
	location *url.URL
	body     string
}

// visit opens a page as a browser does, without following redirects.
func visit(t *testing.T, page string) visited {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	location, _ := response.Location()
	return visited{response.StatusCode, response.Header, location, string(body)}
}

func TestASlackAppIsInstalledInABrowser(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	back := f.begin(t, f.channel.ID).String()
	shown := visit(t, back)
	require.Equal(t, http.StatusOK, shown.status, shown.body)
	require.Contains(t, shown.body, "The channel is connected.")
	require.Equal(t, "text/html; charset=utf-8", shown.header.Get("Content-Type"))
	require.Contains(t, shown.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "no-referrer", shown.header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", shown.header.Get("Cache-Control"))
	installed := apitest.Decode[api.ChannelDetail](t, f.Get(t, f.token, "/channels/"+f.channel.ID.String()).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusCONNECTED, installed.Status)
	require.Equal(t, "Simulated @bot", *installed.Account)
	token := simulator.NewSlack().Settings().Credentials["botToken"]
	var found int
	require.NoError(t, f.DB.QueryRow(t.Context(), "SELECT count(*) FROM channels WHERE strpos(to_jsonb(channels)::text, $1) > 0", token).Scan(&found))
	require.Zero(t, found, "the token is sealed")
	f.Sequence(t)
	require.NoError(t, f.DB.QueryRow(t.Context(), "SELECT count(*) FROM audit_entries WHERE action = 'channel.authorized' AND target = $1", "/channels/"+f.channel.ID.String()).Scan(&found))
	require.Equal(t, 1, found)
	require.Equal(t, http.StatusBadRequest, visit(t, back).status, "the link is used once")
	require.NotContains(t, f.LogText(), token)
}

// TestALinkThatIsNotTheLatestConnectsNothing: states are bound to a channel and a time, and used
// once.
func TestALinkThatIsNotTheLatestConnectsNothing(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	other := f.create(t)
	refused := func(page string) {
		t.Helper()
		shown := visit(t, page)
		require.Equal(t, http.StatusBadRequest, shown.status)
		require.Contains(t, shown.body, "This link was used, has expired or was replaced.")
		require.Equal(t, api.ChannelStatusERROR, f.status(t))
	}
	const hostile = `"><script>alert(1)</script>`
	shown := visit(t, *f.channel.HookURL+"/oauth?code="+url.QueryEscape(hostile)+"&state="+url.QueryEscape(hostile))
	require.Equal(t, http.StatusBadRequest, shown.status)
	require.NotContains(t, shown.body, "script")
	refused(*f.channel.HookURL + "/oauth")
	replaced := f.begin(t, f.channel.ID).String()
	foreign := f.begin(t, other.ID).Query()
	refused(*f.channel.HookURL + "/oauth?" + foreign.Encode())
	late := f.begin(t, f.channel.ID).String()
	refused(replaced)
	f.Clock.Advance(10 * time.Minute)
	refused(late)

	cancelled := f.begin(t, f.channel.ID).Query()
	cancelled.Del("code")
	cancelled.Set("error", "access_denied")
	shown = visit(t, *f.channel.HookURL+"/oauth?"+cancelled.Encode())
	require.Equal(t, http.StatusForbidden, shown.status)
	require.Contains(t, shown.body, "Access was not granted")
	guessed := f.begin(t, f.channel.ID).Query()
	guessed.Set("code", "guessed")
	shown = visit(t, *f.channel.HookURL+"/oauth?"+guessed.Encode())
	require.Equal(t, http.StatusBadGateway, shown.status)
	require.Equal(t, api.ChannelStatusERROR, f.status(t))
	require.Equal(t, http.StatusNotFound, visit(t, f.Origin+"/hooks/"+uuid.NewString()+"/oauth?state=x").status)
	f.Patch(t, f.token, "/channels/"+f.channel.ID.String(), `{"status":"DISABLED"}`).Want(t, http.StatusOK)
	require.Equal(t, http.StatusNotFound, visit(t, *f.channel.HookURL+"/oauth?state=x").status)
}

func TestChannelsWithoutAnAppAreNotAuthorized(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	path := "/channels/" + f.channel.ID.String()
	f.Patch(t, f.token, path, `{"credentials":{"clientSecret":null}}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	f.Patch(t, f.token, path, `{"credentials":{"clientSecret":null,"botToken":"xoxb-1"}}`).Want(t, http.StatusOK)
	f.Post(t, f.token, path+"/authorization", nil).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeAuthorizationUnavailable)
	site := apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", map[string]any{"type": "WEBSITE", "name": "Shop", "agentId": f.channel.AgentID}).Want(t, http.StatusCreated))
	f.Post(t, f.token, "/channels/"+site.ID.String()+"/authorization", nil).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeAuthorizationUnavailable)
	require.Equal(t, http.StatusNotFound, visit(t, f.Origin+"/hooks/"+site.ID.String()+"/oauth?state=x").status)
}
