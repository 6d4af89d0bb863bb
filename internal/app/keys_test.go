package app_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/app"
	"github.com/avelto/convo/internal/domain/secret"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func TestParseKeysAcceptsOneKeyOrAList(t *testing.T) {
	t.Parallel()
	one, other := strings.Repeat("0f", 32), strings.Repeat("ab", 32)
	key, older, err := app.ParseKeys(one, "")
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{0x0f}, 32), key)
	require.Empty(t, older)
	key, older, err = app.ParseKeys("", one+", "+other)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{0x0f}, 32), key)
	require.Equal(t, [][]byte{bytes.Repeat([]byte{0xab}, 32)}, older)
	for _, c := range [][2]string{{"", ""}, {one, other}, {"", one + ","}, {"", one + ",secret-word"}} {
		_, _, err := app.ParseKeys(c[0], c[1])
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret-word")
	}
}

// TestSecretKeyIsRotatedWithoutInterruption follows the steps in docs/operations.md.
func TestSecretKeyIsRotatedWithoutInterruption(t *testing.T) {
	t.Parallel()
	database, newKey := testdb.URL(t), bytes.Repeat([]byte{9}, 32)
	first := apitest.New(t, apitest.Options{DatabaseURL: database, Workers: true})
	space := first.Workspace(t, "acme")
	token := first.Token(t, space)
	receiver := apitest.NewReceiver(t, nil)
	hook := apitest.Decode[api.WebhookCreated](t, first.Post(t, token, "/integrations/webhook", map[string]any{
		"type": "WEBHOOK", "url": receiver.URL, "events": []string{"webhook.ping"},
	}).Want(t, http.StatusCreated))
	for range 2 {
		first.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	}
	cursor := first.Get(t, token, "/leads?limit=1").Want(t, http.StatusOK).Header.Get("X-Next-Cursor")
	test := "/integrations/" + hook.ID.String() + "/test"

	refuse := func(key []byte) {
		_, err := app.New(t.Context(), app.Config{Storage: t.TempDir()}, app.Parts{DB: first.DB, Key: key, Log: slog.New(slog.DiscardHandler), Clock: clock.System{}})
		require.ErrorIs(t, err, secret.ErrWrongKey)
	}
	refuse(newKey)
	both := apitest.New(t, apitest.Options{DatabaseURL: database, Workers: true, Key: newKey, OldKeys: [][]byte{apitest.Key}})
	both.Get(t, token, "/leads?limit=1&cursor="+cursor).Want(t, http.StatusOK)
	both.Post(t, token, test, nil).Want(t, http.StatusOK)
	receiver.WaitFor(t, 1)[0].VerifySignatures(t, *hook.SigningSecret)

	box, err := app.NewBox(newKey, apitest.Key)
	require.NoError(t, err)
	done, err := (&secret.Store{DB: both.DB, Box: box}).Rotate(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, secret.Rotated{Webhooks: secret.Count{Resealed: 1}}, done)
	refuse(apitest.Key)
	after := apitest.New(t, apitest.Options{DatabaseURL: database, Workers: true, Key: newKey})
	after.Post(t, token, test, nil).Want(t, http.StatusOK)
	receiver.WaitFor(t, 2)[1].VerifySignatures(t, *hook.SigningSecret)
}

// TestWebhookWithUnreadableSecretIsRepairedByRotation corrupts both secrets of a webhook.
func TestWebhookWithUnreadableSecretIsRepairedByRotation(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	token := s.Token(t, s.Workspace(t, "acme"))
	receiver := apitest.NewReceiver(t, nil)
	hook := apitest.Decode[api.WebhookCreated](t, s.Post(t, token, "/integrations/webhook", map[string]any{
		"type": "WEBHOOK", "url": receiver.URL, "events": []string{"lead.created"},
	}).Want(t, http.StatusCreated))
	path := "/integrations/" + hook.ID.String()
	s.Exec(t, "UPDATE integrations SET secret = 'x', previous_secret = 'y', previous_secret_expires_at = $1", s.Clock.Now().AddDate(0, 0, 1))
	s.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	read := func() api.Integration {
		return apitest.Decode[api.Integration](t, s.Get(t, token, path).Want(t, http.StatusOK))
	}
	require.Eventually(t, func() bool { return read().Status == api.IntegrationStatusERROR }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, api.IntegrationErrorCodeWebhookSecretUnreadable, read().Error.Code)
	attempt := apitest.Decode[api.WebhookAttempt](t, s.Post(t, token, path+"/test", nil).Want(t, http.StatusOK))
	require.Contains(t, *attempt.Error, "Rotate it")

	rotated := apitest.Decode[api.SecretRotated](t, s.Post(t, token, path+"/rotate-secret", nil).Want(t, http.StatusOK))
	require.Equal(t, api.IntegrationStatusCONNECTED, read().Status)
	require.Nil(t, read().Error)
	receiver.WaitFor(t, 1)[0].VerifySignatures(t, *rotated.SigningSecret)
}
