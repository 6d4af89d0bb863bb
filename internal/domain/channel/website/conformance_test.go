package website_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/testing/channeltest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// visitor keeps what is sent as a visitor sees it: each message once, since it is a row.
type visitor struct {
	website.Provider
	simulator.Core
	http.Handler
}

// Type implements simulator.Simulator and provider.Provider.
func (*visitor) Type() api.ChannelType { return api.ChannelTypeWEBSITE }

// Send implements provider.Provider.
func (v *visitor) Send(ctx context.Context, c provider.Channel, m provider.Outbound) (provider.Sent, error) {
	v.Accept(simulator.Message{To: m.To, Text: m.Text, Key: m.MessageID.String()}, func(m simulator.Message, _ int) (simulator.Message, simulator.Response) {
		return m, simulator.Response{}
	})
	return v.Provider.Send(ctx, c, m)
}

// Settings implements simulator.Simulator.
func (*visitor) Settings() simulator.Settings { return simulator.Settings{Config: []byte("{}")} }

// Sign implements simulator.Simulator.
func (*visitor) Sign(string, time.Time, []byte) simulator.Request { return simulator.Request{} }

// Hook implements simulator.Simulator.
func (*visitor) Hook(string, time.Time, ...simulator.Event) (simulator.Request, error) {
	return simulator.Request{}, simulator.ErrUnsupported
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		const noHook, noProvider = "The widget uses the API of this server, not a hook.", "No provider is called: visitors read messages from this server."
		v := &visitor{Handler: http.NotFoundHandler()}
		return channeltest.Type{
			Provider: v, Simulator: v, Contact: func(number int) string { return "visitor-" + strconv.Itoa(number) },
			Reasons: map[channeltest.Property]string{
				channeltest.WrongSignature: noHook, channeltest.NoSignature: noHook, channeltest.TruncatedSignature: noHook, channeltest.ChangedBody: noHook,
				channeltest.StaleTimestamp: noHook, channeltest.Replay: noHook, channeltest.Duplicate: noHook, channeltest.Reordering: noHook,
				channeltest.MalformedEntry: noHook, channeltest.Reports: noHook, channeltest.Files: noHook, channeltest.OptOut: noHook,
				channeltest.ServerError: noProvider, channeltest.RateLimit: noProvider, channeltest.Timeout: noProvider, channeltest.ConnectionReset: noProvider,
				channeltest.FalseSuccess: noProvider, channeltest.Permanent: noProvider, channeltest.Unreachable: noProvider, channeltest.Revoked: noProvider,
				channeltest.SentFiles: noProvider, channeltest.Window: "There is no reply window.",
			},
		}
	})
}
