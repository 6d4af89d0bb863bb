package conversation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

// Inbound is a message of a contact to store. BlobKeys has the key of each attachment
// whose content is in the file storage already, "" for those to fetch from the provider;
// nil if that is all of them.
type Inbound struct {
	provider.Message

	BlobKeys []string
}

// Received is a stored message. If Duplicate is set, the channel had received it before,
// and nothing has changed.
type Received struct {
	Message      db.Message
	Conversation db.Conversation
	Attachments  []db.Attachment
	Duplicate    bool
}

// errErased means that the sender was erased while the message was received. Once it is
// received again, the sender is unknown.
var errErased = errors.New("conversation: the contact was erased meanwhile")

// Receive stores a message of a contact: in a conversation that it continues, or in a new
// one, with a new contact if the channel has not seen this one. A message with an external
// ID that the channel knows is a duplicate. Everything that is received from one contact
// waits for the lock of the contact's identity, so that concurrent messages do not begin
// two conversations. Locks are acquired in the order identity, contact, conversation.
func (s *Service) Receive(ctx context.Context, tx postgres.Tx, channel db.Channel, rules provider.Rules, in Inbound) (Received, error) {
	in.ExternalID = externalID(in.ExternalID)
	r := &receiving{Service: s, tx: tx, channel: channel, in: in, verified: rules.Verified || in.From.Verified}
	if known, err := r.identify(ctx); err != nil || known != nil {
		return duplicateOf(known), err
	}
	if known, err := r.duplicate(ctx); err != nil || known != nil {
		return duplicateOf(known), err
	}
	if err := r.findConversation(ctx); err != nil {
		return Received{}, err
	}
	return r.store(ctx)
}

func duplicateOf(known *db.Message) Received {
	if known == nil {
		return Received{}
	}
	return Received{Message: *known, Duplicate: true}
}

// receiving is a Receive in progress.
type receiving struct {
	*Service

	tx       postgres.Tx
	channel  db.Channel
	in       Inbound
	verified bool
	now      time.Time
	contact  db.Contact
	row      db.Conversation
	events   []event.Payload
}

// identify locks the identity of the sender, and creates it with its contact if needed. A
// duplicate creates none: its contact was erased.
func (r *receiving) identify(ctx context.Context) (duplicate *db.Message, err error) {
	q := db.New()
	key := db.IdentityLockParams{WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalID: externalID(r.in.From.ExternalID)}
	identity, err := q.IdentityLock(ctx, r.tx, key)
	if postgres.IsNotFound(err) {
		if duplicate, err = r.duplicate(ctx); err != nil || duplicate != nil {
			return duplicate, err
		}
		if err := r.meet(ctx, key.ExternalID); err != nil {
			return nil, err
		}
		identity, err = q.IdentityLock(ctx, r.tx, key)
	}
	if err != nil {
		return nil, fmt.Errorf("lock identity: %w", err)
	}
	if r.contact, err = q.ContactGetShared(ctx, r.tx, db.ContactGetSharedParams{WorkspaceID: identity.WorkspaceID, ID: identity.ContactID}); err != nil {
		return nil, fmt.Errorf("get contact: %w", err)
	}
	if r.contact.ErasedAt != nil {
		return nil, errErased
	}
	return nil, r.see(ctx, identity)
}

// see updates the identity of the sender, and adds its aliases.
func (r *receiving) see(ctx context.Context, identity db.ContactIdentity) error {
	from := r.in.From
	err := db.New().IdentitySeen(ctx, r.tx, db.IdentitySeenParams{
		WorkspaceID: identity.WorkspaceID, ChannelID: identity.ChannelID, ExternalID: identity.ExternalID,
		SeenAt: r.Clock.Now(), Verified: r.verified, Address: cleanOrNil(from.Address, maxExternalID), Name: cleanOrNil(from.Name, maxName),
	})
	if err != nil {
		return fmt.Errorf("update identity: %w", err)
	}
	for _, alias := range externalIDs(from.Aliases) {
		if err := r.addIdentity(ctx, alias, identity.ContactID); err != nil {
			return err
		}
	}
	return nil
}

// meet stores an identity that the channel does not know: of the contact that one of its
// aliases belongs to, else of a new one. Another transaction may be faster.
func (r *receiving) meet(ctx context.Context, id string) error {
	q, from := db.New(), r.in.From
	if aliases := externalIDs(from.Aliases); len(aliases) > 0 {
		known, err := q.IdentityFindAny(ctx, r.tx, db.IdentityFindAnyParams{WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalIDs: aliases})
		if err == nil {
			return r.addIdentity(ctx, id, known.ContactID)
		} else if !postgres.IsNotFound(err) {
			return fmt.Errorf("find alias: %w", err)
		}
	}
	contactID, now := r.IDs.New()
	contact, err := q.IdentityCreateWithContact(ctx, r.tx, db.IdentityCreateWithContactParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalID: id, ContactID: contactID, Verified: r.verified,
		Address: cleanOrNil(from.Address, maxExternalID), Name: cleanOrNil(from.Name, maxName),
		Email: cleanOrNil(from.Email, maxEmail), Phone: cleanOrNil(from.Phone, maxPhone), CreatedAt: now,
	})
	if postgres.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("create contact: %w", err)
	}
	r.events = append(r.events, event.ContactCreated{Contact: contact})
	return nil
}

func (r *receiving) addIdentity(ctx context.Context, id string, contactID uuid.UUID) error {
	err := db.New().IdentityAdd(ctx, r.tx, db.IdentityAddParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalID: id, ContactID: contactID, Verified: r.verified,
		Name: cleanOrNil(r.in.From.Name, maxName), CreatedAt: r.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("add identity: %w", err)
	}
	return nil
}

// duplicate returns the message if the channel has received it before, else nil.
func (r *receiving) duplicate(ctx context.Context) (known *db.Message, err error) {
	if r.in.ExternalID == "" {
		return known, nil
	}
	found, err := r.byExternalID(ctx, r.in.ExternalID)
	if err == nil {
		known = &found
	} else if !postgres.IsNotFound(err) {
		return nil, fmt.Errorf("find message: %w", err)
	}
	return known, nil
}

func (r *receiving) byExternalID(ctx context.Context, id string) (db.Message, error) {
	return db.New().MessageByExternalID(ctx, r.tx, db.MessageByExternalIDParams{
		WorkspaceID: r.channel.WorkspaceID, ChannelID: r.channel.ID, ExternalID: externalID(id),
	})
}

// store adds the message to the conversation, which is locked.
func (r *receiving) store(ctx context.Context) (Received, error) {
	q := db.New()
	messageID, now := r.IDs.New()
	r.now = now
	written := now
	if at := r.in.SentAt; !at.IsZero() && at.Before(written) {
		written = at
	}
	row, err := q.ConversationRecordInbound(ctx, r.tx, db.ConversationRecordInboundParams{
		WorkspaceID: r.row.WorkspaceID, ID: r.row.ID, ReceivedAt: &r.now, WrittenAt: &written, IdentityExternalID: externalIDOrNil(r.in.From.ExternalID),
	})
	if err != nil {
		return Received{}, fmt.Errorf("record message in conversation: %w", err)
	}
	replyTo, err := r.repliedTo(ctx)
	if err != nil {
		return Received{}, err
	}
	message, err := q.MessageCreate(ctx, r.tx, db.MessageCreateParams{
		WorkspaceID: row.WorkspaceID, ID: messageID, ConversationID: row.ID, Role: api.MessageRoleUSER, Content: clean(r.in.Text, maxContent),
		AuthorType: api.MessageAuthorTypeCONTACT, ContactID: &r.contact.ID, DeliveryStatus: api.DeliveryStatusRECEIVED, ExternalID: externalIDOrNil(r.in.ExternalID),
		ClientMessageID: cleanOrNil(r.in.ClientMessageID, maxName), ReplyToID: replyTo, Revision: row.Revision, CreatedAt: r.now,
	})
	if err != nil {
		return Received{}, fmt.Errorf("store message: %w", err)
	}
	if err := addExternalIDs(ctx, r.tx, row, message.ID, r.now, r.in.ExternalID); err != nil {
		return Received{}, err
	}
	attachments, err := r.attach(ctx, message.ID)
	if err != nil {
		return Received{}, err
	}
	if err := r.askAgent(ctx, row, message.ID); err != nil {
		return Received{}, err
	}
	r.Changed(r.tx, row.ID)
	r.events = append(r.events, event.MessageCreated{Message: message, Attachments: attachments})
	return Received{Message: message, Conversation: row, Attachments: attachments}, r.Events.Record(ctx, r.tx, row.WorkspaceID, r.now, r.events...)
}

// repliedTo returns the message of the same conversation that this one replies to, or nil.
func (r *receiving) repliedTo(ctx context.Context) (id *uuid.UUID, err error) {
	if r.in.ReplyTo == "" {
		return id, nil
	}
	found, err := r.byExternalID(ctx, r.in.ReplyTo)
	if err == nil && found.ConversationID == r.row.ID {
		id = &found.ID
	} else if err != nil && !postgres.IsNotFound(err) {
		return nil, fmt.Errorf("find message replied to: %w", err)
	}
	return id, nil
}

// attach stores the attachments of the message.
func (r *receiving) attach(ctx context.Context, messageID uuid.UUID) ([]db.Attachment, error) {
	stored := make([]db.Attachment, 0, len(r.in.Attachments))
	for i, one := range r.in.Attachments {
		attachmentID, _ := r.IDs.New()
		params := db.AttachmentCreateParams{
			WorkspaceID: r.channel.WorkspaceID, ID: attachmentID, MessageID: messageID, Type: one.Type,
			Name: cleanOrNil(one.Name, maxName), ContentType: cleanOrNil(one.ContentType, maxName), CreatedAt: r.now,
			State: api.AttachmentStatePENDING, ExternalID: cleanOrNil(one.ExternalID, maxContent),
		}
		if one.SizeBytes >= 0 {
			params.SizeBytes = &one.SizeBytes
		}
		if i < len(r.in.BlobKeys) && r.in.BlobKeys[i] != "" {
			size := max(one.SizeBytes, int64(len(one.Content)))
			params.State, params.BlobKey, params.SizeBytes, params.ExternalID = api.AttachmentStateSTORED, &r.in.BlobKeys[i], &size, nil
			if params.ContentType == nil {
				params.ContentType = new("application/octet-stream")
			}
		}
		row, err := db.New().AttachmentCreate(ctx, r.tx, params)
		if err != nil {
			return nil, fmt.Errorf("store attachment: %w", err)
		}
		stored = append(stored, row)
	}
	if len(stored) > 0 {
		r.Bell.Ring(r.tx, wake.Attachments)
	}
	return slices.Clip(stored), nil
}

// addExternalIDs records the provider's IDs of a message.
func addExternalIDs(ctx context.Context, tx postgres.Tx, row db.Conversation, messageID uuid.UUID, at time.Time, ids ...string) error {
	err := db.New().MessageExternalIDAdd(ctx, tx, db.MessageExternalIDAddParams{
		WorkspaceID: row.WorkspaceID, ChannelID: row.ChannelID, MessageID: messageID, ExternalIDs: externalIDs(ids), CreatedAt: at,
	})
	if err != nil {
		return fmt.Errorf("record external IDs: %w", err)
	}
	return nil
}
