package httpapi

import (
	"net/http"
	"strconv"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/openapi/timestamp"
)

func toAPIIntegration(row db.Integration) api.Integration {
	shown := api.Integration{
		ID: row.ID, Type: row.Type, Status: row.Status, Error: toAPIIntegrationError(row),
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
	if shown.Type == api.IntegrationTypeWEBHOOK {
		events, temporary := toAPIEventTypes(row.Events), row.ExpiresAt != nil
		shown.URL, shown.Events, shown.Temporary = row.URL, &events, &temporary
	}
	return shown
}

func toAPIWebhookCreated(row db.Integration, secret string) api.WebhookCreated {
	shown := toAPIIntegration(row)
	return api.WebhookCreated{
		ID: shown.ID, Type: shown.Type, URL: *shown.URL, Events: *shown.Events, Status: shown.Status, Temporary: shown.Temporary,
		CreatedAt: shown.CreatedAt, UpdatedAt: shown.UpdatedAt, SigningSecret: &secret,
	}
}

func toAPIIntegrationError(row db.Integration) *api.IntegrationError {
	if row.ErrorCode == nil || row.ErrorMessage == nil || row.ErrorAt == nil {
		return nil
	}
	return &api.IntegrationError{Code: *row.ErrorCode, Message: *row.ErrorMessage, At: timestamp.New(*row.ErrorAt)}
}

func toAPIEventTypes(names []string) []api.EventType {
	return each(names, func(name string) api.EventType { return api.EventType(name) })
}

func toAPIDelivery(row db.WebhookDeliveryListRow) api.WebhookDelivery {
	return toAPIRedelivered(db.WebhookDeliveryGetRow(row))
}

func toAPIRedelivered(row db.WebhookDeliveryGetRow) api.WebhookDelivery {
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

// eventList answers listEvents with the very bytes that webhooks get.
type eventList struct {
	rows   []db.Event
	latest int64
	link   *string
}

// VisitListEventsResponse implements api.ListEventsResponseObject.
func (l eventList) VisitListEventsResponse(w http.ResponseWriter) error {
	w.Header().Set("X-Latest-Sequence", strconv.FormatInt(l.latest, 10))
	if l.link != nil {
		w.Header().Set("Link", *l.link)
	}
	return writeJSON(w, http.StatusOK, func(b []byte) []byte {
		b = append(b, '[')
		for i, row := range l.rows {
			if i > 0 {
				b = append(b, ',')
			}
			b = event.AppendJSON(b, row)
		}
		return append(b, ']')
	})
}
