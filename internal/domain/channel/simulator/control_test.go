package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// patience bounds what must happen, and tick is how often it is looked for.
const (
	patience = time.Minute
	tick     = 10 * time.Millisecond
)

func call(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	decoded := map[string]any{}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &decoded), "%s", raw)
	}
	return response.StatusCode, decoded
}

// TestAChannelIsTriedWithoutAnAccount connects a bot to a simulator, and lets a contact
// write to it and read from it.
func TestAChannelIsTriedWithoutAnAccount(t *testing.T) {
	t.Parallel()
	sim, err := simulator.New(t.Context(), api.ChannelTypeTELEGRAM)
	require.NoError(t, err)
	control := &simulator.Control{Simulator: sim, Client: http.DefaultClient}
	server := httptest.NewServer(control)
	t.Cleanup(server.Close)
	control.URL = server.URL
	events := server.URL + simulator.ControlPath + "/events"
	status, response := call(t, http.MethodPost, events, `{"text":"Hello"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, response["detail"], "No hook is known")

	var created struct {
		APIBaseURL  string            `json:"apiBaseUrl"`
		Config      json.RawMessage   `json:"config"`
		Credentials map[string]string `json:"credentials"`
	}
	require.NoError(t, json.Unmarshal([]byte(control.Example()), &created))
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	p, c := &telegram.Provider{Client: client}, provider.Channel{Config: created.Config, Credentials: created.Credentials, APIBaseURL: created.APIBaseURL}
	require.Empty(t, p.Validate(c))
	received := make(chan provider.Received, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if found, err := p.Receive(c, provider.Request{Method: r.Method, Header: r.Header, Body: body}); err == nil {
			received <- found
		}
	}))
	t.Cleanup(hook.Close)
	c.HookURL = hook.URL
	require.NoError(t, p.Connect(t.Context(), c))

	status, response = call(t, http.MethodPost, events, `{"text":"Hello","from":"7"}`)
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, http.StatusOK, response["hookStatus"])
	require.Equal(t, "Hello", (<-received).Items[0].(provider.Message).Text)
	status, response = call(t, http.MethodPost, events, `{"text":"Hello","from":"anna"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, response["detail"], "no contacts with the ID anna")
	status, _ = call(t, http.MethodPost, events, `{"kind":"delivered"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)

	status, _ = call(t, http.MethodPost, server.URL+simulator.ControlPath+"/faults", `["limited"]`)
	require.Equal(t, http.StatusNoContent, status)
	_, err = p.Send(t.Context(), c, provider.Outbound{To: "7", Text: "Hi"})
	require.ErrorContains(t, err, "retry after 7")
	_, err = p.Send(t.Context(), c, provider.Outbound{To: "7", Text: "Hi"})
	require.NoError(t, err)
	status, response = call(t, http.MethodGet, server.URL+simulator.ControlPath, "")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, response["messages"], 1)
	status, _ = call(t, http.MethodGet, server.URL+simulator.ControlPath+"/unknown", "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestEachSimulatorAcceptsItsOwnSettings(t *testing.T) {
	t.Parallel()
	for _, name := range simulator.Types() {
		sim, err := simulator.New(t.Context(), api.ChannelType(strings.ToUpper(name)))
		require.NoError(t, err)
		if closer, ok := sim.(io.Closer); ok {
			t.Cleanup(func() { _ = closer.Close() })
		}
		require.Equal(t, strings.ToUpper(name), string(sim.Type()))
		require.NotEmpty(t, sim.Settings().Credentials)
	}
	_, err := simulator.New(t.Context(), api.ChannelTypeWEBSITE)
	require.ErrorIs(t, err, simulator.ErrNone)
}

// TestASecondBotLeavesTheHookOfTheFirst: each channel has a secret of its own, also two with the
// same bot.
func TestASecondBotLeavesTheHookOfTheFirst(t *testing.T) {
	t.Parallel()
	sim := simulator.NewTelegram()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	p := &telegram.Provider{Client: client}
	token := sim.Settings().Credentials["botToken"]
	channels := map[string]provider.Channel{}
	for name, botToken := range map[string]string{"first": token, "same bot": token, "another bot": "7:AAE-another-bot-0123456789abcdefghijklm"} {
		c := provider.Channel{APIBaseURL: server.URL, HookURL: "https://convo.example/hooks/" + name, Credentials: map[string]string{"botToken": botToken}}
		p.Complete(c)
		require.Empty(t, p.Validate(c))
		require.NoError(t, p.Connect(t.Context(), c))
		channels[name] = c
	}
	received := func(c provider.Channel) error {
		request, err := sim.Hook(c.HookURL, time.Now(), simulator.Event{Kind: simulator.Wrote, ID: "1", From: "7", Text: "Hello"})
		require.NoError(t, err)
		_, err = p.Receive(c, provider.Request{Method: request.Method, Header: request.Header, Body: request.Body})
		return err
	}
	for name, c := range channels {
		require.NoError(t, received(c), name)
	}
	require.NoError(t, p.Disconnect(t.Context(), channels["another bot"]))
	require.ErrorIs(t, received(channels["another bot"]), provider.ErrUnauthenticated)
	require.NoError(t, received(channels["first"]))
	stranger := provider.Channel{APIBaseURL: server.URL, Credentials: map[string]string{"botToken": "x"}}
	_, err := p.Check(t.Context(), stranger)
	require.Error(t, err)
}
