package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestThereIsNoSimulatorInProduction(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	require.NotContains(t, p.get(t, "/app/simulator").want(t, http.StatusNotFound).Body, "/app/simulator")
	p.post(t, "/app/simulator", url.Values{"text": {"Hello"}}).want(t, http.StatusNotFound)
}

// TestTheSimulatorShowsMessagesAndLetsVisitorsWrite lets a visitor write, and an operator reply.
func TestTheSimulatorShowsMessagesAndLetsVisitorsWrite(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	set, err := simulator.NewSet(t.Context(), "http://"+server.Listener.Addr().String(), http.DefaultClient)
	require.NoError(t, err)
	t.Cleanup(set.Close)
	server.Config.Handler = set
	server.Start()
	t.Cleanup(server.Close)
	s := apitest.New(t, apitest.Options{Workers: true, PublicURL: true, Simulators: set})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	key, p := s.Token(t, space), signedIn(t, s)
	require.Contains(t, p.get(t, "/app/simulator").want(t, http.StatusOK).Body, "No channel of this workspace")

	control, _ := set.Control(api.ChannelTypeTELEGRAM)
	settings := control.Settings()
	agent := apitest.Decode[api.Agent](t, s.Post(t, key, "/agents", map[string]any{"name": "Silent", "modelProvider": "builtin", "modelName": "builtin"}).Want(t, http.StatusCreated))
	made := apitest.Decode[api.Channel](t, s.Post(t, key, "/channels", map[string]any{
		"type": "TELEGRAM", "name": "Shop", "agentId": agent.ID, "apiBaseUrl": set.BaseURL(api.ChannelTypeTELEGRAM), "credentials": settings.Credentials,
	}).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusCONNECTED, made.Status)
	form := url.Values{"channel": {made.ID.String()}, "from": {"7"}, "name": {"Jan"}, "text": {"Do you have <size> 42?"}}
	with := func(name, value string) url.Values {
		changed := url.Values{name: {value}}
		for other, values := range form {
			if other != name {
				changed[other] = values
			}
		}
		return changed
	}
	require.Contains(t, p.post(t, "/app/simulator", with("text", " ")).want(t, http.StatusUnprocessableEntity).Body, "Enter a message")
	require.Contains(t, p.post(t, "/app/simulator", with("from", "anna")).want(t, http.StatusUnprocessableEntity).Body, "no contact with this ID")
	p.post(t, "/app/simulator", with("channel", uuid.NewString())).want(t, http.StatusNotFound)
	request := p.postRequest(t, "/app/simulator", form)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	p.do(t, request).want(t, http.StatusForbidden)

	sent := p.post(t, "/app/simulator", form).want(t, http.StatusSeeOther)
	shown := p.get(t, sent.Header.Get("Location")).want(t, http.StatusOK)
	require.Contains(t, shown.Body, "was delivered to the channel.")
	require.Contains(t, shown.Body, `value="7"`)
	conversations := apitest.Decode[[]api.Conversation](t, s.Get(t, key, "/conversations").Want(t, http.StatusOK))
	require.Len(t, conversations, 1)
	path := "/conversations/" + conversations[0].ID.String()
	s.Post(t, key, path+"/hand-off", map[string]any{}).Want(t, http.StatusOK)
	s.Post(t, key, path+"/operator-message", map[string]any{"content": "Yes, in <blue>."}).Want(t, http.StatusCreated)
	require.Eventually(t, func() bool {
		return strings.Contains(p.get(t, "/app/simulator").Body, "Yes, in &lt;blue&gt;.")
	}, time.Minute, 20*time.Millisecond)

	s.Exec(t, "UPDATE channels SET status = 'DISABLED'")
	require.Contains(t, p.post(t, "/app/simulator", form).want(t, http.StatusUnprocessableEntity).Body, "responded with status 404")
}
