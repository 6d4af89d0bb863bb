package email

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// tamper changes the field of the signature, or empties it.
func tamper(t *testing.T) func(r *simulator.Request, change func(string) string) {
	t.Helper()
	return func(r *simulator.Request, change func(string) string) {
		_, rest, ok := strings.Cut(string(r.Body), `name="signature"`+"\r\n\r\n")
		require.True(t, ok)
		signature, _, _ := strings.Cut(rest, "\r\n")
		r.Body = []byte(strings.Replace(string(r.Body), signature, change(signature), 1))
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) channeltest.Type {
		t.Helper()
		sim, err := simulator.NewEmail(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = sim.Close() })
		return channeltest.Type{
			Provider: newProvider(), Simulator: sim, Tamper: tamper(t),
			Contact: func(number int) string { return "anna" + strconv.Itoa(number) + "@example.com" },
			Reasons: map[channeltest.Property]string{
				channeltest.ChangedBody:    "The signature covers the time and a token alone.",
				channeltest.MalformedEntry: "A request has one entry.",
				channeltest.FalseSuccess:   "A response has one line, which is read or lost.",
				channeltest.Window:         "There is no reply window.",
			},
		}
	})
}
