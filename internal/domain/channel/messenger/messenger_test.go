package messenger_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/messenger"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

func TestTheTagExtendsTheWindowOfOperators(t *testing.T) {
	t.Parallel()
	p := &messenger.Provider{}
	tagged := json.RawMessage(`{"pageId":"1","humanAgentTag":true}`)
	require.Equal(t, 7*24*time.Hour, p.RulesFor(tagged).Window)
	require.Equal(t, 24*time.Hour, p.RulesFor(json.RawMessage(`{"pageId":"1"}`)).Window)
	require.Equal(t, 24*time.Hour, p.RulesFor(nil).Window)
	for automatic, want := range map[bool]string{false: "MESSAGE_TAG", true: "RESPONSE"} {
		var got map[string]any
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewDecoder(r.Body).Decode(&got)
			_, _ = io.WriteString(w, `{"recipient_id":"2","message_id":"m_1"}`)
		}))
		t.Cleanup(server.Close)
		_, err := newProvider(t).Send(t.Context(), provider.Channel{Config: tagged, APIBaseURL: server.URL}, provider.Outbound{To: "2", Text: "x", Automatic: automatic})
		require.NoError(t, err)
		require.Equal(t, want, got["messaging_type"])
	}
}

func TestThePageIsNamedAndSubscribed(t *testing.T) {
	t.Parallel()
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.Path)
		_, _ = io.WriteString(w, `{"name":"Shop","success":true}`)
	}))
	t.Cleanup(server.Close)
	p, c := newProvider(t), provider.Channel{Config: json.RawMessage(`{"pageId":"7","apiVersion":"v24.0"}`), APIBaseURL: server.URL}
	name, err := p.Check(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, "Shop", name)
	require.NoError(t, p.Connect(t.Context(), c))
	require.NoError(t, p.Disconnect(t.Context(), c))
	require.Equal(t, []string{"GET /v24.0/7", "POST /v24.0/7/subscribed_apps", "DELETE /v24.0/7/subscribed_apps"}, calls)
}
