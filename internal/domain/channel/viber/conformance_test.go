package viber_test

import (
	"strconv"
	"testing"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/viber"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/channeltest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func newProvider(t *testing.T) *viber.Provider {
	t.Helper()
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	return &viber.Provider{Client: client}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		return channeltest.Type{
			Provider: newProvider(t), Simulator: simulator.NewViber(),
			Tamper:  channeltest.Header("X-Viber-Content-Signature"),
			Contact: func(number int) string { return "01234567890A" + strconv.Itoa(number) + "=" },
			Reasons: map[channeltest.Property]string{
				channeltest.StaleTimestamp: "Requests are not dated.",
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.Window:         "There is no reply window.",
				channeltest.SentFiles:      "The provider accepts public URLs alone.",
			},
		}
	})
}
