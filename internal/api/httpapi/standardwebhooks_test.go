package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// verifiers are commands that verify a request with a library of the Standard Webhooks
// specification, by the name of its package registry.
func verifiers(t *testing.T) map[string][]string {
	t.Helper()
	root := apitest.Root(t)
	return map[string][]string{
		"npm":  {"node", filepath.Join(root, "scripts", "tools", "verify-webhook.cjs")},
		"PyPI": {filepath.Join(root, ".cache", "contract", "bin", "python"), filepath.Join(root, "scripts", "contract", "verify_webhook.py")},
	}
}

// verifyStandard passes a received request to a library and returns the body that it
// accepted.
func verifyStandard(t *testing.T, command []string, secret string, received apitest.Received) ([]byte, error) {
	t.Helper()
	headers := map[string]string{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		headers[name] = received.Header.Get(name)
	}
	input, err := json.Marshal(map[string]any{"secret": secret, "body": string(received.Body), "headers": headers})
	require.NoError(t, err)
	verify := exec.CommandContext(t.Context(), command[0], command[1:]...)
	verify.Stdin = bytes.NewReader(input)
	return verify.Output()
}

// TestStandardWebhooksLibrariesVerifyDeliveries passes requests as they were received, and
// secrets as they were shown, to the libraries. `make test` installs them.
func TestStandardWebhooksLibrariesVerifyDeliveries(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	s.Clock.Advance(time.Since(s.Clock.Now())) // the libraries reject old timestamps
	token := s.Token(t, s.Workspace(t, "acme"))
	receiver := apitest.NewReceiver(t, nil)
	hook := subscribe(t, s, token, receiver.URL, "lead.created")
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{68}$`, *hook.StandardWebhooksSecret)

	s.Post(t, token, "/leads", `{"fields":{"name":"Zoë 🦊"}}`).Want(t, http.StatusCreated)
	first := receiver.WaitFor(t, 1)[0]
	rotated := apitest.Decode[api.SecretRotated](t, s.Post(t, token, "/integrations/"+hook.ID.String()+"/rotate-secret", nil).Want(t, http.StatusOK))
	s.Post(t, token, "/leads", `{"fields":{"name":"B"}}`).Want(t, http.StatusCreated)
	second := receiver.WaitFor(t, 2)[1]

	for registry, command := range verifiers(t) {
		for _, c := range []struct {
			secret   string
			received apitest.Received
		}{{*hook.StandardWebhooksSecret, first}, {*hook.StandardWebhooksSecret, second}, {*rotated.StandardWebhooksSecret, second}} {
			body, err := verifyStandard(t, command, c.secret, c.received)
			require.NoError(t, err, registry)
			require.JSONEq(t, string(c.received.Body), string(body), registry)
		}
		_, err := verifyStandard(t, command, *rotated.StandardWebhooksSecret, first)
		require.Error(t, err, "%s: the new secret did not sign the first request", registry)
	}
}
