package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
)

// requireRepliesDelivered replies to a demo conversation in each channel whose provider is
// simulated, and waits until the provider has accepted it. WhatsApp and Messenger have none that
// is recent enough.
func requireRepliesDelivered(t *testing.T, p *process, token string) {
	t.Helper()
	const simulated = "TELEGRAM WHATSAPP MESSENGER VIBER EMAIL SLACK DISCORD SMS VOICE"
	var channels []api.Channel
	ask(t, p, token, http.MethodGet, "/channels?limit=100", nil, &channels)
	connected := map[api.ChannelType]bool{}
	types := map[string]api.ChannelType{}
	for _, one := range channels {
		var detail api.ChannelDetail
		ask(t, p, token, http.MethodGet, "/channels/"+one.ID.String(), nil, &detail)
		types[one.ID.String()] = one.Type
		if detail.Status == api.ChannelStatusCONNECTED && detail.APIBaseURL != nil {
			connected[one.Type] = true
		}
	}
	require.Len(t, connected, len(strings.Fields(simulated)), "%v", connected)
	var conversations []api.Conversation
	ask(t, p, token, http.MethodGet, "/conversations?status=HANDED_OFF&limit=100", nil, &conversations)
	sent := map[api.ChannelType]string{}
	for _, one := range conversations {
		kind := types[one.ChannelID.String()]
		if !connected[kind] || sent[kind] != "" {
			continue
		}
		var message api.Message
		path := "/conversations/" + one.ID.String()
		ask(t, p, token, http.MethodPost, path+"/operator-message", map[string]string{"content": "Hello"}, &message)
		sent[kind] = path + "/messages/" + message.ID.String()
	}
	require.NotEmpty(t, sent)
	for kind, path := range sent {
		require.Eventually(t, func() bool {
			var message api.Message
			ask(t, p, token, http.MethodGet, path, nil, &message)
			require.NotEqual(t, api.DeliveryStatusFAILED, message.DeliveryStatus, "%s: %v", kind, message.Error)
			return message.DeliveryStatus == api.DeliveryStatusSENT || message.DeliveryStatus == api.DeliveryStatusDELIVERED
		}, time.Minute, 50*time.Millisecond, kind)
	}
}

// ask calls the API, and decodes the response.
func ask(t *testing.T, p *process, token, method, path string, body, into any) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.addr+"/api/v1"+path, content)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, http.StatusMultipleChoices, "%s %s: %s", method, path, raw)
	require.NoError(t, json.Unmarshal(raw, into), "%s", raw)
}
