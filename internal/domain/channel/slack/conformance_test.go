package slack_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/slack"
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
			Provider: &slack.Provider{Client: client}, Simulator: simulator.NewSlack(),
			Tamper:     channeltest.Header("X-Slack-Signature"),
			Contact:    func(number int) string { return "U" + strconv.Itoa(1_000_000+number) },
			RetryAfter: 30 * time.Second,
			Reasons: map[channeltest.Property]string{
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.Window:         "There is no reply window.",
				channeltest.Reports:        "The provider reports no deliveries.",
				channeltest.OptOut:         "The provider does not report it.",
			},
		}
	})
}
