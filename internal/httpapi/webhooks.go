package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
)

// webhooks serves the tag Webhooks, whose engine this release does not have yet.
type webhooks struct{}

// CreateWebhook implements api.StrictServerInterface.
func (*webhooks) CreateWebhook(context.Context, api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	return nil, errNotImplemented()
}

// ListIntegrations implements api.StrictServerInterface.
func (*webhooks) ListIntegrations(context.Context, api.ListIntegrationsRequestObject) (api.ListIntegrationsResponseObject, error) {
	return nil, errNotImplemented()
}

// GetIntegration implements api.StrictServerInterface.
func (*webhooks) GetIntegration(context.Context, api.GetIntegrationRequestObject) (api.GetIntegrationResponseObject, error) {
	return nil, errNotImplemented()
}

// UpdateIntegration implements api.StrictServerInterface.
func (*webhooks) UpdateIntegration(context.Context, api.UpdateIntegrationRequestObject) (api.UpdateIntegrationResponseObject, error) {
	return nil, errNotImplemented()
}

// DeleteIntegration implements api.StrictServerInterface.
func (*webhooks) DeleteIntegration(context.Context, api.DeleteIntegrationRequestObject) (api.DeleteIntegrationResponseObject, error) {
	return nil, errNotImplemented()
}

// RotateIntegrationSecret implements api.StrictServerInterface.
func (*webhooks) RotateIntegrationSecret(context.Context, api.RotateIntegrationSecretRequestObject) (api.RotateIntegrationSecretResponseObject, error) {
	return nil, errNotImplemented()
}

// TestIntegration implements api.StrictServerInterface.
func (*webhooks) TestIntegration(context.Context, api.TestIntegrationRequestObject) (api.TestIntegrationResponseObject, error) {
	return nil, errNotImplemented()
}

// ListIntegrationDeliveries implements api.StrictServerInterface.
func (*webhooks) ListIntegrationDeliveries(context.Context, api.ListIntegrationDeliveriesRequestObject) (api.ListIntegrationDeliveriesResponseObject, error) {
	return nil, errNotImplemented()
}

// RedeliverIntegrationDelivery implements api.StrictServerInterface.
func (*webhooks) RedeliverIntegrationDelivery(context.Context, api.RedeliverIntegrationDeliveryRequestObject) (api.RedeliverIntegrationDeliveryResponseObject, error) {
	return nil, errNotImplemented()
}
