package voice_test

import (
	"strconv"
	"testing"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/voice"
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
			Provider: &voice.Provider{Client: client}, Simulator: simulator.NewVoice(),
			Tamper:  channeltest.Header("X-Twilio-Signature"),
			Contact: func(number int) string { return "+4850" + strconv.Itoa(1_000_000+number) },
			Reasons: map[channeltest.Property]string{
				channeltest.StaleTimestamp: "Requests are not dated.",
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.Window:         "There is no reply window.",
				channeltest.Files:          "Calls have no files.",
				channeltest.SentFiles:      "Calls have no files.",
				channeltest.OptOut:         "Who hangs up ends the conversation.",
				channeltest.Unreachable:    "Who does not answer a call is reported later.",
			},
		}
	})
}
