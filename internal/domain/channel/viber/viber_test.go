package viber_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// bot is an API that responds to every call with one response. calls are what it was asked.
func bot(t *testing.T, response string) (c provider.Channel, calls *[]string) {
	t.Helper()
	calls = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*calls = append(*calls, r.URL.Path+" "+string(body))
		_, _ = io.WriteString(w, response)
	}))
	t.Cleanup(server.Close)
	return provider.Channel{Name: strings.Repeat("ż", 40), Config: json.RawMessage("{}"), APIBaseURL: server.URL, HookURL: "https://convo.example/hooks/1"}, calls
}

func TestTheHookIsRegisteredAndRemoved(t *testing.T) {
	t.Parallel()
	c, calls := bot(t, `{"status":0,"status_message":"ok","event_types":[]}`)
	require.NoError(t, newProvider(t).Connect(t.Context(), c))
	require.NoError(t, newProvider(t).Disconnect(t.Context(), c))
	require.Contains(t, (*calls)[0], `/pa/set_webhook {"event_types":["delivered","seen","failed","subscribed","unsubscribed","conversation_started"],"send_name":true,"url":"https://convo.example/hooks/1"}`)
	require.Equal(t, `/pa/set_webhook {"url":""}`, (*calls)[1])
}

func TestTheBotIsNamed(t *testing.T) {
	t.Parallel()
	c, _ := bot(t, `{"status":0,"name":"Shop"}`)
	name, err := newProvider(t).Check(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, "Shop", name)
}

func TestTheNameOfTheSenderIsCut(t *testing.T) {
	t.Parallel()
	c, calls := bot(t, `{"status":0,"message_token":4912661846655238145}`)
	sent, err := newProvider(t).Send(t.Context(), c, provider.Outbound{To: "1", Text: "x"})
	require.NoError(t, err)
	require.Equal(t, []string{"4912661846655238145"}, sent.ExternalIDs)
	require.Contains(t, (*calls)[0], `"name":"`+strings.Repeat("ż", 28)+`"`)
}

func TestFilesAreFetchedFromViberAlone(t *testing.T) {
	t.Parallel()
	c, _ := bot(t, "bytes")
	for _, from := range []string{"https://evil.example/a", "http://dl-media.viber.com/a", "https://evilviber.com/", "://"} {
		_, err := newProvider(t).Fetch(t.Context(), c, from)
		require.ErrorContains(t, err, "not at a server of Viber", from)
	}
	file, err := newProvider(t).Fetch(t.Context(), c, c.APIBaseURL+"/1/a.jpg")
	require.NoError(t, err)
	require.Equal(t, "a.jpg", file.Name)
	require.NoError(t, file.Close())
}

func TestASuccessWithoutAStatusIsDoubtful(t *testing.T) {
	t.Parallel()
	for _, response := range []string{`{}`, `{"status":0}`, `null`, `<html>`} {
		c, _ := bot(t, response)
		_, err := newProvider(t).Send(t.Context(), c, provider.Outbound{To: "1", Text: "x"})
		var failed *provider.SendError
		require.ErrorAs(t, err, &failed, response)
		require.True(t, failed.Ambiguous, response)
	}
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	require.Len(t, newProvider(t).Validate(provider.Channel{Credentials: map[string]string{"authToken": "a b"}}), 1)
}
