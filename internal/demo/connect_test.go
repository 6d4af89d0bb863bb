package demo_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/email"
	"github.com/avelto/convo/internal/domain/channel/messenger"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/slack"
	"github.com/avelto/convo/internal/domain/channel/sms"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/domain/channel/viber"
	"github.com/avelto/convo/internal/domain/channel/voice"
	"github.com/avelto/convo/internal/domain/channel/whatsapp"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
)

// simulators serves a set until the test ends.
func simulators(t *testing.T) *simulator.Set {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	set, err := simulator.NewSet(t.Context(), "http://"+server.Listener.Addr().String(), http.DefaultClient)
	require.NoError(t, err)
	t.Cleanup(set.Close)
	server.Config.Handler = set
	server.Start()
	t.Cleanup(server.Close)
	return set
}

func channelsOn(t *testing.T, on *postgres.DB) *channel.Service {
	t.Helper()
	box, err := seal.New([]byte("a key that is long enough for this"), "test")
	require.NoError(t, err)
	guard := egress.NewGuard(egress.Loopback())
	client := apiclient.New(guard)
	t.Cleanup(client.CloseIdle)
	registry := provider.NewRegistry(
		&telegram.Provider{Client: client}, &whatsapp.Provider{Client: client}, &messenger.Provider{Client: client}, &viber.Provider{Client: client},
		&email.Provider{Guard: guard}, &slack.Provider{Client: client}, &discord.Provider{Client: client, Guard: guard}, &sms.Provider{Client: client}, &voice.Provider{Client: client},
	)
	return &channel.Service{
		DB: on, IDs: id.NewGenerator(clock.System{}), Clock: clock.System{}, Guard: guard, Log: slog.New(slog.DiscardHandler),
		Opener: &channel.Opener{DB: on, Box: box, Providers: registry, HookBase: "http://127.0.0.1/hooks/"},
		Schema: func(api.ChannelType, json.RawMessage, map[string]string) []provider.Invalid { return nil },
	}
}

// settings returns the status, the base URL and the account of each channel in the demo.
func settings(t *testing.T, on *postgres.DB) map[string]string {
	t.Helper()
	rows, err := on.Query(t.Context(), "SELECT type, concat_ws(' ', status, api_base_url, CASE WHEN account IS NOT NULL THEN 'account' END) FROM channels"+inDemo)
	require.NoError(t, err)
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var kind, text string
		require.NoError(t, rows.Scan(&kind, &text))
		all[kind] = text
	}
	require.NoError(t, rows.Err())
	return all
}

// TestTheDemoIsConnectedToSimulators: at each start they are at another port. What someone has
// changed is kept.
func TestTheDemoIsConnectedToSimulators(t *testing.T) {
	t.Parallel()
	on := loaded(t)
	channels, first := channelsOn(t, on), simulators(t)
	require.NoError(t, demo.Connect(t.Context(), on, channels, first))
	want := map[string]string{"WEBSITE": "CONNECTED"}
	for _, kind := range first.Types {
		want[string(kind)] = "CONNECTED " + first.BaseURL(kind) + " account"
	}
	require.Equal(t, want, settings(t, on))
	port := func() (port int) {
		require.NoError(t, on.QueryRow(t.Context(), "SELECT (config -> 'smtp' ->> 'port')::int FROM channels WHERE type = 'EMAIL'").Scan(&port))
		return port
	}
	before := port()
	require.NoError(t, demo.Connect(t.Context(), on, channels, simulators(t)))
	require.NotEqual(t, before, port())

	mine := "http://127.0.0.1:9090"
	_, err := on.Exec(t.Context(), "UPDATE channels SET api_base_url = $1 WHERE type = 'TELEGRAM'", mine)
	require.NoError(t, err)
	_, err = on.Exec(t.Context(), "UPDATE channels SET api_base_url = NULL WHERE type = 'SLACK'")
	require.NoError(t, err)
	_, err = on.Exec(t.Context(), "UPDATE channels SET status = 'DISABLED', config = config || '{\"senderName\": \"Mine\"}' WHERE type = 'VIBER'")
	require.NoError(t, err)
	_, err = on.Exec(t.Context(), "UPDATE channels SET status = 'DISABLED', config = jsonb_set(config, '{smtp,host}', '\"smtp.example.com\"') WHERE type = 'EMAIL'")
	require.NoError(t, err)
	second := simulators(t)
	require.NoError(t, demo.Connect(t.Context(), on, channels, second))
	for _, kind := range second.Types {
		want[string(kind)] = "CONNECTED " + second.BaseURL(kind) + " account"
	}
	want["TELEGRAM"], want["SLACK"] = "CONNECTED "+mine+" account", "CONNECTED account"
	want["VIBER"] = "DISABLED " + second.BaseURL(api.ChannelTypeVIBER) + " account"
	want["EMAIL"] = "DISABLED " + second.BaseURL(api.ChannelTypeEMAIL) + " account"
	require.Equal(t, want, settings(t, on))
	require.Equal(t, 2, count(t, on, "SELECT count(*) FROM channels WHERE config ->> 'senderName' = 'Mine' OR config -> 'smtp' ->> 'host' = 'smtp.example.com'"))
}
