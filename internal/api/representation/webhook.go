package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/openapi/timestamp"
)

// Integration converts an integration. Webhooks have a URL and event types.
func Integration(row db.Integration) api.Integration {
	shown := api.Integration{
		ID: row.ID, Type: row.Type, Status: row.Status, Error: integrationError(row),
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
	if shown.Type == api.IntegrationTypeWEBHOOK {
		events := List(row.Events, func(name string) api.EventType { return api.EventType(name) })
		temporary := row.ExpiresAt != nil
		shown.URL, shown.Events, shown.Temporary = row.URL, &events, &temporary
	}
	return shown
}

func integrationError(row db.Integration) *api.IntegrationError {
	if row.ErrorCode == nil || row.ErrorMessage == nil || row.ErrorAt == nil {
		return nil
	}
	return &api.IntegrationError{Code: *row.ErrorCode, Message: *row.ErrorMessage, At: timestamp.New(*row.ErrorAt)}
}

// WebhookCreated converts a new webhook with its signing secret.
func WebhookCreated(row db.Integration, secret string) api.WebhookCreated {
	shown, standard := Integration(row), signature.Standard(secret)
	return api.WebhookCreated{
		ID: shown.ID, Type: shown.Type, URL: *shown.URL, Events: *shown.Events, Status: shown.Status, Temporary: shown.Temporary,
		CreatedAt: shown.CreatedAt, UpdatedAt: shown.UpdatedAt, SigningSecret: &secret, StandardWebhooksSecret: &standard,
	}
}

// WebhookDelivery converts a delivery. Its attempts are stored as the API shows them.
func WebhookDelivery(row db.WebhookDeliveryGetRow) api.WebhookDelivery {
	delivery := row.WebhookDelivery
	shown := api.WebhookDelivery{
		ID: delivery.ID, EventID: row.EventID, EventType: row.EventType, Status: delivery.Status,
		CreatedAt: timestamp.New(delivery.CreatedAt), Attempts: delivery.Attempts,
	}
	if shown.Status == api.WebhookDeliveryStatusPENDING {
		shown.NextAttemptAt = timestamp.NewPtr(&delivery.NextAttemptAt)
	}
	return shown
}

// ListedDelivery converts a delivery of a list.
func ListedDelivery(row db.WebhookDeliveryListRow) api.WebhookDelivery {
	return WebhookDelivery(db.WebhookDeliveryGetRow(row))
}

// WebhookAttempt converts an attempt.
func WebhookAttempt(a sender.Attempt) api.WebhookAttempt {
	return api.WebhookAttempt(a.Stored())
}
