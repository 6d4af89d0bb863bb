package telegram_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/telegram"
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
		client := apiclient.New(egress.NewGuard(egress.Loopback()))
		t.Cleanup(client.CloseIdle)
		return channeltest.Type{
			Provider: &telegram.Provider{Client: client}, Simulator: simulator.NewTelegram(),
			Tamper:     channeltest.Header("X-Telegram-Bot-Api-Secret-Token"),
			Contact:    func(number int) string { return strconv.Itoa(1_000_000 + number) },
			RetryAfter: 7 * time.Second,
			Reasons: map[channeltest.Property]string{
				channeltest.ChangedBody:    "Requests carry a secret instead of a signature.",
				channeltest.StaleTimestamp: "Requests are not dated.",
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.Reports:        "The provider reports no deliveries.",
				channeltest.Window:         "There is no reply window.",
			},
		}
	})
}
