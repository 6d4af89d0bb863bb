package discord_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

// TestNothingIsMissedBetweenConnections: a session goes on after the Gateway asked to connect
// again, and another one begins after it was forgotten.
func TestNothingIsMissedBetweenConnections(t *testing.T) {
	t.Parallel()
	sim := simulator.NewDiscord()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	guard := egress.NewGuard(egress.Loopback())
	client := apiclient.New(guard)
	t.Cleanup(client.CloseIdle)
	settings := sim.Settings()
	c := provider.Channel{Config: settings.Config, Credentials: settings.Credentials, APIBaseURL: server.URL, State: json.RawMessage("{}")}
	p := &discord.Provider{Client: client, Guard: guard}
	require.Empty(t, p.Validate(c))
	items, began, ended := make(chan provider.Item, 10), make(chan string, 10), make(chan error)
	listen := func(ctx context.Context) {
		ended <- p.Listen(ctx, c, func(_ context.Context, received []provider.Item, state json.RawMessage) error {
			c.State = state
			for _, one := range received {
				items <- one
			}
			if len(received) == 0 {
				began <- string(state)
			}
			return nil
		})
	}
	say := func(id, text string, file *simulator.File) {
		require.NoError(t, sim.Dispatch(simulator.Event{Kind: simulator.Wrote, ID: id, From: "77", Name: "Anna", Text: text, File: file, At: time.Unix(1_700_000_000, 0)}))
	}
	require.ErrorIs(t, sim.Dispatch(simulator.Event{Kind: simulator.Wrote}), simulator.ErrNoHook, "no one listens")

	go listen(t.Context())
	require.Contains(t, wait(t, began), "simulated-1")
	say("100", "Hello", &simulator.File{Name: "a.txt", ContentType: "text/plain", Content: []byte("file")})
	message := wait(t, items).(provider.Message)
	require.Equal(t, "Hello", message.Text)
	file, err := p.Fetch(t.Context(), c, message.Attachments[0].ExternalID)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	sim.Fail(simulator.Reconnect)
	require.NoError(t, wait(t, ended))
	say("101", "missed", nil)
	require.NoError(t, sim.Dispatch(simulator.Event{Kind: simulator.Edited, ID: "101", From: "77", Text: "edited", At: time.Unix(1_700_000_001, 0)}))

	go listen(t.Context())
	require.Equal(t, "missed", wait(t, items).(provider.Message).Text)
	require.Equal(t, "edited", wait(t, items).(provider.Edit).Text)
	sim.Fail(simulator.InvalidSession)
	require.NoError(t, wait(t, ended))
	require.JSONEq(t, "{}", string(c.State), "the session is over")

	for len(began) > 0 {
		<-began
	}
	ctx, stop := context.WithCancel(t.Context())
	go listen(ctx)
	require.Contains(t, wait(t, began), "simulated-2")
	stop()
	require.NoError(t, wait(t, ended))

	c.Credentials = map[string]string{"botToken": "wrong"}
	require.Equal(t, provider.Credentials, failure(t, p.Listen(t.Context(), c, nil)).Kind)
}
