package whatsapp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// cloud is a Cloud API that responds to every call with one response.
func cloud(t *testing.T, response string) provider.Channel {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, response)
	}))
	t.Cleanup(server.Close)
	return provider.Channel{
		Config: json.RawMessage(`{"phoneNumberId":"1","apiVersion":"v24.0"}`), Credentials: map[string]string{"accessToken": "secret"}, APIBaseURL: server.URL,
	}
}

func TestTheNumberIsNamed(t *testing.T) {
	t.Parallel()
	name, err := newProvider(t).Check(t.Context(), cloud(t, `{"verified_name":"Shop","display_phone_number":"+48 1"}`))
	require.NoError(t, err)
	require.Equal(t, "Shop", name)
	name, err = newProvider(t).Check(t.Context(), cloud(t, `{"display_phone_number":"+48 1"}`))
	require.NoError(t, err)
	require.Equal(t, "+48 1", name)
}

// TestAFailedUploadIsNoDoubtfulMessage: only the call after the upload reaches the contact.
func TestAFailedUploadIsNoDoubtfulMessage(t *testing.T) {
	t.Parallel()
	file := provider.OutboundAttachment{Name: "a.png", ContentType: "image/png", Open: func(context.Context) (io.ReadCloser, error) { return http.NoBody, nil }}
	_, err := newProvider(t).Send(t.Context(), cloud(t, `{"id":`), provider.Outbound{To: "1", Attachments: []provider.OutboundAttachment{file}})
	var failed *provider.SendError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, provider.Retryable, failed.Kind)
	require.False(t, failed.Ambiguous)
	_, err = newProvider(t).Send(t.Context(), cloud(t, `{"messages":[]}`), provider.Outbound{To: "1", Text: "x"})
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Ambiguous)
}

func TestFilesAreNamedByDigits(t *testing.T) {
	t.Parallel()
	_, err := newProvider(t).Fetch(t.Context(), cloud(t, `{}`), "1/../../me")
	require.ErrorContains(t, err, "no such file")
	_, err = newProvider(t).Fetch(t.Context(), cloud(t, `{"url":"https://evil.example/"}`), "1")
	require.ErrorContains(t, err, "not at a server of Meta")
}

func TestSettingsAreValidated(t *testing.T) {
	t.Parallel()
	require.Len(t, newProvider(t).Validate(provider.Channel{Credentials: map[string]string{"accessToken": "a b"}}), 1)
}
