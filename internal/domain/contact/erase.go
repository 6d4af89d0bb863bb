package contact

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/openapi/timestamp"
)

const (
	// Queue is the queue of the jobs of contacts.
	Queue = "contacts"
	// eraseTimeout bounds a job; the next attempt continues.
	eraseTimeout = 10 * time.Minute
	// eventBatch and fileBatch bound what one statement of a job changes.
	eventBatch = 2000
	fileBatch  = 100
)

// Erase removes everything about a person, or fails with postgres.ErrNotFound: contact,
// identities, messages and leads in one transaction; files, stored events and the responses
// of webhooks by a job. The conversations stay, so that counts do not change. The provider's
// IDs of messages stay too, so that a message which is delivered again stays erased.
func (s *Service) Erase(ctx context.Context, on postgres.Conn, workspaceID, contactID uuid.UUID) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		e := &erasure{Service: s, tx: tx, workspaceID: workspaceID, contactID: contactID, now: s.Clock.Now()}
		return e.run(ctx)
	})
}

// erasure is an Erase in progress.
type erasure struct {
	*Service

	tx                     postgres.Tx
	workspaceID, contactID uuid.UUID
	now                    time.Time
	ids, own               []uuid.UUID // of all conversations, and of the contact's own
}

// run acquires locks in the order of received messages: identities, contact, conversations.
// A message that was received meanwhile can have added an identity.
func (e *erasure) run(ctx context.Context) error {
	if err := e.deleteIdentities(ctx); err != nil {
		return err
	}
	if _, err := lock(ctx, e.tx, e.workspaceID, e.contactID); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{e.deleteIdentities, e.lockConversations, e.redact, e.drop, e.deleteLeads} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	err := db.New().ContactErase(ctx, e.tx, db.ContactEraseParams{WorkspaceID: e.workspaceID, ID: e.contactID, ErasedAt: &e.now})
	if err != nil {
		return fmt.Errorf("erase contact: %w", err)
	}
	job := Forget{WorkspaceID: e.workspaceID, ContactID: e.contactID, ConversationIDs: e.own, OtherIDs: e.ids, ErasedAt: e.now}
	if _, err := e.Jobs.InsertTx(ctx, e.tx, job, nil); err != nil {
		return fmt.Errorf("queue erasure of events: %w", err)
	}
	return e.Events.Record(ctx, e.tx, e.workspaceID, e.now, event.ContactDeleted{ContactID: e.contactID})
}

func (e *erasure) deleteIdentities(ctx context.Context) error {
	err := db.New().IdentityDeleteByContact(ctx, e.tx, db.IdentityDeleteByContactParams{WorkspaceID: e.workspaceID, ContactID: e.contactID})
	if err != nil {
		return fmt.Errorf("delete identities: %w", err)
	}
	return nil
}

func (e *erasure) lockConversations(ctx context.Context) error {
	rows, err := db.New().ConversationLockAbout(ctx, e.tx, db.ConversationLockAboutParams{WorkspaceID: e.workspaceID, ContactID: e.contactID})
	if err != nil {
		return fmt.Errorf("lock conversations: %w", err)
	}
	for _, row := range rows {
		e.ids = append(e.ids, row.ID)
		if row.ContactID == e.contactID {
			e.own = append(e.own, row.ID)
		}
	}
	return nil
}

func (e *erasure) redact(ctx context.Context) error {
	q := db.New()
	err := q.MessageRedactAbout(ctx, e.tx, db.MessageRedactAboutParams{
		WorkspaceID: e.workspaceID, ConversationIDs: e.ids, ContactID: e.contactID, RedactedAt: &e.now,
	})
	if err != nil {
		return fmt.Errorf("redact messages: %w", err)
	}
	err = q.ConversationRedactMany(ctx, e.tx, db.ConversationRedactManyParams{WorkspaceID: e.workspaceID, IDs: e.ids, ContactID: e.contactID, UpdatedAt: e.now})
	if err != nil {
		return fmt.Errorf("redact conversations: %w", err)
	}
	e.Conversations.Changed(e.tx, e.ids...)
	return nil
}

// drop ends the messages that wait to be sent.
func (e *erasure) drop(ctx context.Context) error {
	dropped, err := db.New().OutboundDropByConversations(ctx, e.tx, db.OutboundDropByConversationsParams{WorkspaceID: e.workspaceID, ConversationIDs: e.own})
	if err != nil {
		return fmt.Errorf("drop queued messages: %w", err)
	}
	for _, messageID := range dropped {
		failure := conversation.Failure{Code: api.MessageErrorCodeContactDeleted, Detail: "The contact was deleted before the message was sent."}
		if err := e.Conversations.Fail(ctx, e.tx, e.workspaceID, messageID, failure); err != nil {
			return err
		}
	}
	return nil
}

func (e *erasure) deleteLeads(ctx context.Context) error {
	q := db.New()
	rows, err := q.LeadListByConversations(ctx, e.tx, db.LeadListByConversationsParams{WorkspaceID: e.workspaceID, ConversationIDs: e.own})
	if err != nil {
		return fmt.Errorf("list leads: %w", err)
	}
	payloads := make([]event.Payload, len(rows))
	for i, row := range rows {
		if _, err := q.LeadDelete(ctx, e.tx, db.LeadDeleteParams{WorkspaceID: e.workspaceID, ID: row.ID}); err != nil {
			return fmt.Errorf("delete lead: %w", err)
		}
		payloads[i] = event.LeadDeleted{LeadID: row.ID}
	}
	return e.Events.Record(ctx, e.tx, e.workspaceID, e.now, payloads...)
}

// Forget is the job that erases what is about a deleted contact and has no row of its own:
// files, stored events, and what webhooks responded to them.
type Forget struct {
	WorkspaceID     uuid.UUID   `json:"workspaceId"`
	ContactID       uuid.UUID   `json:"contactId"`
	ConversationIDs []uuid.UUID `json:"conversationIds"` // the contact's own
	OtherIDs        []uuid.UUID `json:"otherIds"`        // all in which the contact wrote
	ErasedAt        time.Time   `json:"erasedAt"`
}

// Kind names the job in the queue.
func (Forget) Kind() string { return "contact_forget" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Forget) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Queue} }

// ForgetWorker works on Forget jobs. Repeating a job is harmless.
type ForgetWorker struct {
	river.WorkerDefaults[Forget]

	DB    *postgres.DB
	Blobs blob.Store
}

// Timeout implements river.Worker.
func (*ForgetWorker) Timeout(*river.Job[Forget]) time.Duration { return eraseTimeout }

// Work implements river.Worker.
func (w *ForgetWorker) Work(ctx context.Context, job *river.Job[Forget]) error {
	if err := w.deleteFiles(ctx, job.Args); err != nil {
		return err
	}
	return w.redactEvents(ctx, job.Args)
}

// deleteFiles deletes attachments from the storage, and then their rows.
func (w *ForgetWorker) deleteFiles(ctx context.Context, of Forget) error {
	for {
		rows, err := db.New().AttachmentListErased(ctx, w.DB, db.AttachmentListErasedParams{
			WorkspaceID: of.WorkspaceID, ConversationIDs: of.OtherIDs, RowLimit: fileBatch,
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]uuid.UUID, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
			if row.BlobKey == nil {
				continue
			}
			if err := w.Blobs.Delete(ctx, *row.BlobKey); err != nil {
				return fmt.Errorf("delete attachment: %w", err)
			}
		}
		if err := db.New().AttachmentDeleteMany(ctx, w.DB, db.AttachmentDeleteManyParams{WorkspaceID: of.WorkspaceID, IDs: ids}); err != nil {
			return fmt.Errorf("delete attachments: %w", err)
		}
	}
}

// redactEvents removes the person from stored events, and the responses of webhooks to
// them. Events without a number come first: meanwhile, they get one.
func (w *ForgetWorker) redactEvents(ctx context.Context, of Forget) error {
	q, ids, at := db.New(), make([]string, len(of.ConversationIDs)), timestamp.New(of.ErasedAt).String()
	for i, id := range of.ConversationIDs {
		ids[i] = id.String()
	}
	err := q.EventOutboxRedactAbout(ctx, w.DB, db.EventOutboxRedactAboutParams{
		WorkspaceID: of.WorkspaceID, ContactID: of.ContactID.String(), ConversationIDs: ids, RedactedAt: at,
	})
	if err != nil {
		return fmt.Errorf("redact events without a number: %w", err)
	}
	bounds, err := q.EventBounds(ctx, w.DB, db.EventBoundsParams{WorkspaceID: of.WorkspaceID})
	if err != nil {
		return fmt.Errorf("find events: %w", err)
	}
	for after := bounds.First - 1; after < bounds.Last; after += eventBatch {
		sequences, err := q.EventRedactAbout(ctx, w.DB, db.EventRedactAboutParams{
			WorkspaceID: of.WorkspaceID, After: after, Through: after + eventBatch, ContactID: of.ContactID.String(), ConversationIDs: ids, RedactedAt: at,
		})
		if err != nil {
			return fmt.Errorf("redact events: %w", err)
		}
		if len(sequences) == 0 {
			continue
		}
		if err := q.WebhookDeliveryRedact(ctx, w.DB, db.WebhookDeliveryRedactParams{WorkspaceID: of.WorkspaceID, Sequences: sequences}); err != nil {
			return fmt.Errorf("redact responses of webhooks: %w", err)
		}
	}
	return nil
}
