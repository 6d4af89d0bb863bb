// Package integration manages integrations: webhooks and other connections of a workspace
// to external systems.
package integration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/seal"
	"github.com/avelto/convo/internal/platform/wake"
)

// TemporaryFor is the lifetime of a temporary webhook.
const TemporaryFor = 24 * time.Hour

// ErrNotWebhook means that an integration of another type was given a URL or events.
var ErrNotWebhook = errors.New("integration: not a webhook")

// MaxWebhooks is how many webhooks a workspace may have.
const MaxWebhooks = 100

// ErrTooManyWebhooks means that the workspace has MaxWebhooks.
var ErrTooManyWebhooks = errors.New("integration: too many webhooks")

// InvalidURLError means that nothing may be sent to a webhook's URL. Reason completes
// the sentence "url …".
type InvalidURLError struct{ Reason string }

// Error implements error.
func (e *InvalidURLError) Error() string { return "integration: url " + e.Reason }

// Service reads and changes integrations.
type Service struct {
	DB     *postgres.DB
	IDs    *id.Generator
	Clock  clock.Clock
	Pages  *page.Codec
	Events *event.Recorder
	Types  event.Types
	Guard  *egress.Guard
	Box    *seal.Box
	Sender *sender.Sender
	Bell   *wake.Bell // wakes those who send deliveries
	Jobs   Jobs

	tests tests
}

// Jobs queues background jobs in the transaction of the change.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, options *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Has reports whether the caller's token has a scope.
type Has func(api.Scope) bool

// NewWebhook is a webhook to create.
type NewWebhook struct {
	URL       string
	Events    []string
	Temporary bool
}

// CreateWebhook stores a webhook and returns it with its secret, which is shown only once.
// It fails with *event.UnknownTypesError, *token.MissingScopeError, *InvalidURLError and
// ErrTooManyWebhooks.
func (s *Service) CreateWebhook(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, has Has, in NewWebhook) (row db.Integration, secret string, err error) {
	events, err := s.Types.Check(in.Events, has)
	if err != nil {
		return db.Integration{}, "", err
	}
	integrationID, now := s.IDs.New()
	params := db.IntegrationCreateWebhookParams{WorkspaceID: workspaceID, ID: integrationID, URL: in.URL, Events: events, CreatedAt: now}
	if in.Temporary { // nothing is sent there from here
		until := now.Add(TemporaryFor)
		params.ExpiresAt = &until
	} else if err := s.checkURL(in.URL); err != nil {
		return db.Integration{}, "", err
	}
	secret = signature.NewSecret()
	params.Secret = s.Box.Seal(secret, sender.SecretContext(workspaceID, integrationID))
	row, err = insertWebhook(ctx, on, params)
	return row, secret, err
}

// insertWebhook stores a webhook if the workspace may have one more. The workspace is
// locked, so that concurrent requests do not all count the same webhooks.
func insertWebhook(ctx context.Context, on postgres.Conn, params db.IntegrationCreateWebhookParams) (row db.Integration, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if err := db.New().WorkspaceLock(ctx, tx, db.WorkspaceLockParams{WorkspaceID: params.WorkspaceID}); err != nil {
			return fmt.Errorf("lock workspace: %w", err)
		}
		webhooks, err := db.New().IntegrationCountWebhooks(ctx, tx, db.IntegrationCountWebhooksParams{WorkspaceID: params.WorkspaceID, Now: params.CreatedAt})
		if err != nil {
			return fmt.Errorf("count webhooks: %w", err)
		}
		if webhooks >= MaxWebhooks {
			return ErrTooManyWebhooks
		}
		if row, err = db.New().IntegrationCreateWebhook(ctx, tx, params); err != nil {
			return fmt.Errorf("create webhook: %w", err)
		}
		return nil
	})
	return row, err
}

func (s *Service) checkURL(raw string) error {
	if reason := s.Guard.CheckURL(raw); reason != "" {
		return &InvalidURLError{Reason: reason}
	}
	return nil
}

// List returns a page of integrations, latest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Integration], error) {
	list := page.List{Workspace: workspaceID, Name: "integrations"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Integration, error) {
		return db.New().IntegrationList(ctx, s.DB, db.IntegrationListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(row db.Integration) uuid.UUID { return row.ID })
}

// Get returns an integration, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, integrationID uuid.UUID) (db.Integration, error) {
	row, err := db.New().IntegrationGet(ctx, s.DB, db.IntegrationGetParams{WorkspaceID: workspaceID, ID: integrationID})
	return row, postgres.Found("get integration", err)
}

// webhook returns an integration of that type if the token may read its events. It fails
// with postgres.ErrNotFound, also for other types, and *token.MissingScopeError.
func (s *Service) webhook(ctx context.Context, workspaceID, integrationID uuid.UUID, has Has) (db.Integration, error) {
	row, err := s.Get(ctx, workspaceID, integrationID)
	if err == nil && row.Type != api.IntegrationTypeWEBHOOK {
		err = postgres.ErrNotFound
	}
	if err == nil {
		err = s.Types.Authorize(row.Events, has)
	}
	return row, err
}

// lock returns an integration, locked until the transaction ends, if the token may read
// its events: a token must not redirect, silence or replay what it may not read. It fails
// with postgres.ErrNotFound and *token.MissingScopeError.
func (s *Service) lock(ctx context.Context, tx postgres.Tx, workspaceID, integrationID uuid.UUID, has Has) (db.Integration, error) {
	row, err := db.New().IntegrationLock(ctx, tx, db.IntegrationLockParams{WorkspaceID: workspaceID, ID: integrationID})
	if err := postgres.Found("lock integration", err); err != nil {
		return row, err
	}
	return row, s.Types.Authorize(row.Events, has)
}

// Change describes an update of an integration. Nil values change nothing.
type Change struct {
	URL    *string
	Events *[]string
	Status *api.IntegrationStatus
}

// Update changes an integration and clears its error. It fails with postgres.ErrNotFound,
// ErrNotWebhook, and as CreateWebhook does: the token needs the scopes of the events that
// were sent before and of those that would be sent now.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID, integrationID uuid.UUID, has Has, change Change) (row db.Integration, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := s.lock(ctx, tx, workspaceID, integrationID, has)
		if err != nil {
			return err
		}
		params, err := s.changed(before, has, change)
		if err != nil {
			return err
		}
		if row, err = db.New().IntegrationUpdate(ctx, tx, params); err != nil {
			return fmt.Errorf("update integration: %w", err)
		}
		s.Bell.Ring(tx, wake.Deliveries) // of a webhook that is enabled again
		return nil
	})
	return row, err
}

func (s *Service) changed(before db.Integration, has Has, change Change) (db.IntegrationUpdateParams, error) {
	params := db.IntegrationUpdateParams{
		WorkspaceID: before.WorkspaceID, ID: before.ID, URL: before.URL, Events: before.Events, Status: before.Status, UpdatedAt: s.Clock.Now(),
	}
	if params.Status == api.IntegrationStatusERROR {
		params.Status = api.IntegrationStatusCONNECTED
	}
	if change.Status != nil {
		params.Status = *change.Status
	}
	if before.Type != api.IntegrationTypeWEBHOOK {
		if change.URL != nil || change.Events != nil {
			return params, ErrNotWebhook
		}
		return params, nil
	}
	if change.URL != nil {
		params.URL = change.URL
		if err := s.checkURL(*change.URL); err != nil && before.ExpiresAt == nil {
			return params, err
		}
	}
	if change.Events != nil {
		params.Events = *change.Events
	}
	events, err := s.Types.Check(params.Events, has)
	params.Events = events
	return params, err
}

// RotateSecret gives a webhook a new secret, which is shown only once. Requests are also
// signed with the old one for the overlap; until is nil if that is 0. It fails with
// postgres.ErrNotFound and *token.MissingScopeError.
func (s *Service) RotateSecret(ctx context.Context, on postgres.Conn, workspaceID, integrationID uuid.UUID, has Has, overlap time.Duration) (secret string, until *time.Time, err error) {
	secret = signature.NewSecret()
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := s.lock(ctx, tx, workspaceID, integrationID, has)
		if err != nil {
			return err
		}
		if before.Type != api.IntegrationTypeWEBHOOK {
			return postgres.ErrNotFound
		}
		params := db.IntegrationSetSecretParams{
			WorkspaceID: workspaceID, ID: integrationID, UpdatedAt: s.Clock.Now(),
			Secret: s.Box.Seal(secret, sender.SecretContext(workspaceID, integrationID)),
		}
		if overlap > 0 {
			end := params.UpdatedAt.Add(overlap)
			until, params.PreviousSecret, params.PreviousSecretExpiresAt = &end, before.Secret, &end
		}
		if _, err := s.Box.Open(before.Secret, sender.SecretContext(workspaceID, integrationID)); err != nil {
			until, params.PreviousSecret, params.PreviousSecretExpiresAt = nil, nil, nil // it can sign nothing
		}
		if err := db.New().IntegrationSetSecret(ctx, tx, params); err != nil {
			return fmt.Errorf("set secret: %w", err)
		}
		s.Bell.Ring(tx, wake.Deliveries) // of a webhook that is repaired
		return nil
	})
	return secret, until, err
}
