package console

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
)

func TestActionsHaveOneForm(t *testing.T) {
	t.Parallel()
	for action, name := range map[string]string{
		"createLead": "Lead created", "updateLeadStatus": "Lead status updated", "sendOperatorMessage": "Operator message sent",
		"api_token.created": "API token created", "sign_in.refused": "Sign-in refused", "webhook.secret_rotated": "Webhook secret rotated",
		"rotateIntegrationSecret": "Webhook secret rotated", "createWebhook": "Webhook created", "webhook.created": "Webhook created",
		"redeliverIntegrationDelivery": "Webhook event redelivered", "something": "Something", "": "",
	} {
		require.Equal(t, name, actionName(action))
	}
	document, err := spec.Published()
	require.NoError(t, err)
	for _, operation := range document.Operations {
		if operation.Writes() {
			require.NotEqual(t, capital(spaced(operation.ID)), actionName(operation.ID), "%s needs a verb in participles, or a name", operation.ID)
		}
	}
}
