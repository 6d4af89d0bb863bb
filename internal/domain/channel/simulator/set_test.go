package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/viber"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// TestASetSimulatesEachProvider also reports that messages were delivered.
func TestASetSimulatesEachProvider(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	set, err := simulator.NewSet(t.Context(), "http://"+server.Listener.Addr().String(), http.DefaultClient)
	require.NoError(t, err)
	t.Cleanup(set.Close)
	server.Config.Handler = set
	server.Start()
	t.Cleanup(server.Close)
	require.Len(t, set.Types, len(simulator.Types()))
	for _, kind := range set.Types {
		status, response := call(t, http.MethodGet, set.BaseURL(kind)+simulator.ControlPath, "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, string(kind), response["channel"].(map[string]any)["type"])
		require.True(t, simulator.IsSimulated(kind, set.BaseURL(kind)))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/simulated/website", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNotFound, response.StatusCode)

	reported := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_ = r.Write(body)
		reported <- body.String()
	}))
	t.Cleanup(hook.Close)
	control, ok := set.Control(api.ChannelTypeVIBER)
	require.True(t, ok)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	p := &viber.Provider{Client: client}
	settings := control.Settings()
	c := provider.Channel{Config: settings.Config, Credentials: settings.Credentials, APIBaseURL: set.BaseURL(api.ChannelTypeVIBER), HookURL: hook.URL}
	require.NoError(t, p.Connect(t.Context(), c))
	sent, err := p.Send(t.Context(), c, provider.Outbound{To: "anna", Text: "Hi"})
	require.NoError(t, err)
	report := <-reported
	require.Contains(t, report, `"event":"delivered"`)
	require.Contains(t, report, sent.ExternalIDs[0])
	require.Eventually(t, func() bool { return control.Accepted()[0].Reported == simulator.Delivered }, patience, tick)
}

func TestOnlyURLsOfSetsAreSimulated(t *testing.T) {
	t.Parallel()
	require.True(t, simulator.IsSimulated(api.ChannelTypeSMS, "http://127.0.0.1:4711/simulated/sms"))
	for _, other := range []string{
		"", "http://127.0.0.1:9090", "http://127.0.0.1:4711/simulated/voice", "http://10.0.0.1:4711/simulated/sms",
		"https://127.0.0.1:4711/simulated/sms", "http://127.0.0.1:4711/simulated/sms/v1", "https://api.twilio.com", "%",
	} {
		require.False(t, simulator.IsSimulated(api.ChannelTypeSMS, other), other)
	}
}
