// Package contact holds the rules of contacts: the people that a workspace talks to, how
// channels know them, and their rights to their data.
package contact

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Jobs puts work into the queue within a transaction. A river.Client does.
type Jobs interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Service reads, changes, exports and erases contacts.
type Service struct {
	DB            *postgres.DB
	Clock         clock.Clock
	Pages         *page.Codec
	Events        *event.Recorder
	Conversations *conversation.Service
	Jobs          Jobs
}

// Filter says which contacts to list; all parts must match. Email matches in any case, and
// NamePrefix the beginning of a name in any case.
type Filter struct{ Email, Phone, NamePrefix *string }

// likeEscapes makes the wildcards of LIKE plain characters.
var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// List returns a page of contacts, newest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, filter Filter, request page.Request) (page.Page[db.Contact], error) {
	list := page.List{Workspace: workspaceID, Name: "contacts", Filters: []string{part(filter.Email), part(filter.Phone), part(filter.NamePrefix)}}
	params := db.ContactListParams{WorkspaceID: workspaceID, Email: filter.Email, Phone: filter.Phone}
	if filter.NamePrefix != nil {
		params.NamePrefix = new(likeEscapes.Replace(*filter.NamePrefix) + "%")
	}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Contact, error) {
		params.BeforeID, params.RowLimit = before, limit
		return db.New().ContactList(ctx, postgres.PlanEachTime(s.DB), params)
	}, func(row db.Contact) uuid.UUID { return row.ID })
}

// part tells an absent filter from an empty one.
func part(value *string) string {
	if value == nil {
		return ""
	}
	return "=" + *value
}

// Detail is a contact, and how channels know it.
type Detail struct {
	db.Contact

	Identities []db.ContactIdentity
}

// Get returns a contact, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, contactID uuid.UUID) (Detail, error) {
	row, err := db.New().ContactGet(ctx, s.DB, db.ContactGetParams{WorkspaceID: workspaceID, ID: contactID})
	if err == nil && row.ErasedAt != nil {
		err = postgres.ErrNotFound
	}
	if err := postgres.Found("get contact", err); err != nil {
		return Detail{}, err
	}
	return detail(ctx, s.DB, row)
}

func detail(ctx context.Context, on postgres.Conn, row db.Contact) (Detail, error) {
	identities, err := db.New().IdentityListByContact(ctx, on, db.IdentityListByContactParams{WorkspaceID: row.WorkspaceID, ContactID: row.ID})
	if err != nil {
		return Detail{}, fmt.Errorf("list identities: %w", err)
	}
	return Detail{Contact: row, Identities: identities}, nil
}

// Change is what to change of a contact. A nil function leaves the value as it is.
type Change struct{ Name, Email, Phone func() *string }

// Update changes what is known about a contact, or fails with postgres.ErrNotFound.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID, contactID uuid.UUID, change Change) (after Detail, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		row, err := lock(ctx, tx, workspaceID, contactID)
		if err != nil {
			return err
		}
		params := db.ContactUpdateParams{
			WorkspaceID: workspaceID, ID: contactID, UpdatedAt: s.Clock.Now(),
			Name: changed(row.Name, change.Name), Email: changed(row.Email, change.Email), Phone: changed(row.Phone, change.Phone),
		}
		if !equal(row.Name, params.Name) || !equal(row.Email, params.Email) || !equal(row.Phone, params.Phone) {
			if row, err = db.New().ContactUpdate(ctx, tx, params); err != nil {
				return fmt.Errorf("update contact: %w", err)
			}
			if err := s.Events.Record(ctx, tx, workspaceID, params.UpdatedAt, event.ContactUpdated{Contact: row}); err != nil {
				return err
			}
		}
		after, err = detail(ctx, tx, row)
		return err
	})
	return after, err
}

func changed(before *string, change func() *string) *string {
	if change == nil {
		return before
	}
	after := change()
	if after == nil {
		return nil
	}
	return new(strings.TrimSpace(*after))
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func lock(ctx context.Context, tx postgres.Tx, workspaceID, contactID uuid.UUID) (db.Contact, error) {
	row, err := db.New().ContactLock(ctx, tx, db.ContactLockParams{WorkspaceID: workspaceID, ID: contactID})
	return row, postgres.Found("lock contact", err)
}
