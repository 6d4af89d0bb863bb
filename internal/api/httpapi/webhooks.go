package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/openapi/timestamp"
)

// defaultOverlap is how long the old secret remains valid if the request has no
// overlapHours.
const defaultOverlap = 24 * time.Hour

// webhooks serves the tag Webhooks.
type webhooks struct {
	service *integration.Service
	log     *audit.Log
	feed    *event.Feed
	links   linker
}

// CreateWebhook implements api.StrictServerInterface.
func (s *webhooks) CreateWebhook(ctx context.Context, r api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	return middleware.Once(ctx, s.log, api.CreateWebhookResponseObject.VisitCreateWebhookResponse, func(ctx context.Context, on postgres.Conn) (api.CreateWebhookResponseObject, error) {
		row, secret, err := s.service.CreateWebhook(ctx, on, middleware.WorkspaceID(ctx), middleware.Has(ctx), integration.NewWebhook{
			URL: r.Body.URL, Events: r.Body.Events, Temporary: r.Body.Temporary != nil && *r.Body.Temporary,
		})
		if err != nil {
			return nil, err
		}
		return api.CreateWebhook201JSONResponse{
			Body:    representation.WebhookCreated(row, secret),
			Headers: api.CreateWebhook201ResponseHeaders{Location: location("/integrations", row.ID)},
		}, nil
	})
}

// ListIntegrations implements api.StrictServerInterface.
func (s *webhooks) ListIntegrations(ctx context.Context, r api.ListIntegrationsRequestObject) (api.ListIntegrationsResponseObject, error) {
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListIntegrations200JSONResponse{
		Body:    representation.List(rows.Rows, representation.Integration),
		Headers: api.ListIntegrations200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetIntegration implements api.StrictServerInterface.
func (s *webhooks) GetIntegration(ctx context.Context, r api.GetIntegrationRequestObject) (api.GetIntegrationResponseObject, error) {
	row, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetIntegration200JSONResponse(representation.Integration(row)), nil
}

// UpdateIntegration implements api.StrictServerInterface.
func (s *webhooks) UpdateIntegration(ctx context.Context, r api.UpdateIntegrationRequestObject) (api.UpdateIntegrationResponseObject, error) {
	change := integration.Change{URL: r.Body.URL, Events: r.Body.Events, Status: (*api.IntegrationStatus)(r.Body.Status)}
	return middleware.Once(ctx, s.log, api.UpdateIntegrationResponseObject.VisitUpdateIntegrationResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateIntegrationResponseObject, error) {
		row, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.ID, middleware.Has(ctx), change)
		if err != nil {
			return nil, err
		}
		return api.UpdateIntegration200JSONResponse(representation.Integration(row)), nil
	})
}

// DeleteIntegration implements api.StrictServerInterface.
func (s *webhooks) DeleteIntegration(ctx context.Context, r api.DeleteIntegrationRequestObject) (api.DeleteIntegrationResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteIntegrationResponseObject.VisitDeleteIntegrationResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteIntegrationResponseObject, error) {
		if err := s.service.Delete(ctx, on, middleware.WorkspaceID(ctx), r.ID, middleware.Has(ctx)); err != nil {
			return nil, err
		}
		return api.DeleteIntegration204Response{}, nil
	})
}

// RotateIntegrationSecret implements api.StrictServerInterface.
func (s *webhooks) RotateIntegrationSecret(ctx context.Context, r api.RotateIntegrationSecretRequestObject) (api.RotateIntegrationSecretResponseObject, error) {
	overlap := defaultOverlap
	if r.Body != nil && r.Body.OverlapHours != nil {
		overlap = time.Duration(*r.Body.OverlapHours) * time.Hour
	}
	return middleware.Once(ctx, s.log, api.RotateIntegrationSecretResponseObject.VisitRotateIntegrationSecretResponse, func(ctx context.Context, on postgres.Conn) (api.RotateIntegrationSecretResponseObject, error) {
		secret, until, err := s.service.RotateSecret(ctx, on, middleware.WorkspaceID(ctx), r.ID, middleware.Has(ctx), overlap)
		if err != nil {
			return nil, err
		}
		standard := signature.Standard(secret)
		return api.RotateIntegrationSecret200JSONResponse{
			SigningSecret: &secret, StandardWebhooksSecret: &standard, PreviousSecretExpiresAt: timestamp.NewPtr(until),
		}, nil
	})
}

// TestIntegration implements api.StrictServerInterface.
func (s *webhooks) TestIntegration(ctx context.Context, r api.TestIntegrationRequestObject) (api.TestIntegrationResponseObject, error) {
	return middleware.Afterwards(ctx, s.log, api.TestIntegrationResponseObject.VisitTestIntegrationResponse, func(ctx context.Context) (api.TestIntegrationResponseObject, error) {
		attempt, err := s.service.Ping(ctx, middleware.WorkspaceID(ctx), r.ID, middleware.Has(ctx))
		if err != nil {
			return nil, err
		}
		return api.TestIntegration200JSONResponse(representation.WebhookAttempt(attempt)), nil
	})
}

// ListIntegrationDeliveries implements api.StrictServerInterface.
func (s *webhooks) ListIntegrationDeliveries(ctx context.Context, r api.ListIntegrationDeliveriesRequestObject) (api.ListIntegrationDeliveriesResponseObject, error) {
	rows, err := s.service.Deliveries(ctx, middleware.WorkspaceID(ctx), r.ID, middleware.Has(ctx), page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListIntegrationDeliveries200JSONResponse{
		Body:    representation.List(rows.Rows, representation.ListedDelivery),
		Headers: api.ListIntegrationDeliveries200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// RedeliverIntegrationDelivery implements api.StrictServerInterface.
func (s *webhooks) RedeliverIntegrationDelivery(ctx context.Context, r api.RedeliverIntegrationDeliveryRequestObject) (api.RedeliverIntegrationDeliveryResponseObject, error) {
	return middleware.Once(ctx, s.log, api.RedeliverIntegrationDeliveryResponseObject.VisitRedeliverIntegrationDeliveryResponse, func(ctx context.Context, on postgres.Conn) (api.RedeliverIntegrationDeliveryResponseObject, error) {
		row, err := s.service.Redeliver(ctx, on, middleware.WorkspaceID(ctx), r.ID, r.DeliveryID, middleware.Has(ctx))
		if err != nil {
			return nil, err
		}
		collection := *location("/integrations", r.ID) + "/deliveries" // a delivery has no URL of its own
		return api.RedeliverIntegrationDelivery202JSONResponse{
			Body: representation.WebhookDelivery(row), Headers: api.RedeliverIntegrationDelivery202ResponseHeaders{Location: &collection},
		}, nil
	})
}

// ListEvents implements api.StrictServerInterface.
func (s *webhooks) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	request := page.Request{Limit: r.Params.Limit}
	var after int64
	if r.Params.After != nil {
		after = *r.Params.After
	}
	rows, latest, err := s.feed.After(ctx, middleware.WorkspaceID(ctx), middleware.Has(ctx), after, request.Size())
	if err != nil {
		return nil, err
	}
	list := eventList{rows: rows, latest: latest}
	if len(rows) == int(request.Size()) {
		list.link = s.links.with(ctx, "after", strconv.FormatInt(rows[len(rows)-1].Sequence, 10))
	}
	return list, nil
}
