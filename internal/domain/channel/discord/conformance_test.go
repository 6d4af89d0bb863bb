package discord_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/avelto/convo/internal/domain/channel/discord"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/channeltest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		guard := egress.NewGuard(egress.Loopback())
		client := apiclient.New(guard)
		t.Cleanup(client.CloseIdle)
		return channeltest.Type{
			Provider: &discord.Provider{Client: client, Guard: guard}, Simulator: simulator.NewDiscord(),
			Tamper:     channeltest.Header("X-Signature-Ed25519"),
			Contact:    func(number int) string { return strconv.Itoa(1_000_000 + number) },
			RetryAfter: 8 * time.Second,
			Reasons: map[channeltest.Property]string{
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.Window:         "There is no reply window.",
				channeltest.Reports:        "The provider reports no deliveries.",
				channeltest.OptOut:         "The provider does not report it.",
				channeltest.Files:          "Files come over the Gateway.",
			},
		}
	})
}
