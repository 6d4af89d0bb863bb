package whatsapp_test

import (
	"strconv"
	"testing"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/whatsapp"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/channeltest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func newProvider(t *testing.T) *whatsapp.Provider {
	t.Helper()
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	return &whatsapp.Provider{Client: client}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		return channeltest.Type{
			Provider: newProvider(t), Simulator: simulator.NewWhatsApp(),
			Tamper:  channeltest.Header("X-Hub-Signature-256"),
			Contact: func(number int) string { return strconv.Itoa(48_100_000_000 + number) },
			Reasons: map[channeltest.Property]string{
				channeltest.StaleTimestamp: "Requests are not dated.",
			},
		}
	})
}
