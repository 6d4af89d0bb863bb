package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Start is a conversation to begin: with a contact, or with the address To.
type Start struct {
	ChannelID   uuid.UUID
	ContactID   *uuid.UUID
	To, Subject string
	Content     string
}

// Start begins a conversation that is handed off to operators, and queues its first
// message. The detail has no transcript. It fails with *UnknownChannelError, *UnknownContactError,
// *CannotInitiateError, ErrRecipient, *InvalidAddressError, *ReplyRefusedError or
// *TooLongError, and then stores nothing.
func (s *Service) Start(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, in Start) (detail Detail, message db.Message, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		channel, initiator, err := s.initiator(ctx, tx, workspaceID, in.ChannelID)
		if err != nil {
			return err
		}
		st := &starting{Service: s, tx: tx, channel: channel, initiator: initiator, in: in}
		if err := st.recipient(ctx); err != nil {
			return err
		}
		if message, err = st.run(ctx); err != nil {
			return err
		}
		row, err := db.New().ConversationGet(ctx, tx, db.ConversationGetParams{WorkspaceID: workspaceID, ID: message.ConversationID})
		if err != nil {
			return fmt.Errorf("get conversation: %w", err)
		}
		detail = Detail{ConversationGetRow: row, Policy: s.policy(row)}
		return nil
	})
	return detail, message, err
}

// initiator returns the channel, and its type if operators may write first through it.
func (s *Service) initiator(ctx context.Context, tx postgres.Tx, workspaceID, channelID uuid.UUID) (db.Channel, provider.Initiator, error) {
	row, err := db.New().ChannelGet(ctx, tx, db.ChannelGetParams{WorkspaceID: workspaceID, ID: channelID})
	if postgres.IsNotFound(err) || err == nil && row.DeletedAt != nil {
		return row, nil, &UnknownChannelError{ID: channelID}
	} else if err != nil {
		return row, nil, fmt.Errorf("get channel: %w", err)
	}
	initiator, ok := s.Providers[row.Type].(provider.Initiator)
	if !ok || !s.Providers.Rules(row.Type).Initiate {
		return row, nil, &CannotInitiateError{Type: row.Type}
	}
	return row, initiator, nil
}

// starting is a Start in progress.
type starting struct {
	*Service

	tx        postgres.Tx
	channel   db.Channel
	initiator provider.Initiator
	in        Start
	contact   db.Contact
	identity  string // external ID
	events    []event.Payload
}

// recipient finds the contact and its identity, and creates what the channel does not know.
func (s *starting) recipient(ctx context.Context) error {
	if s.in.ContactID == nil {
		address, ok := s.initiator.Recipient(s.in.To)
		if !ok {
			return &InvalidAddressError{Type: s.channel.Type}
		}
		return s.address(ctx, address)
	}
	row, err := db.New().ContactLock(ctx, s.tx, db.ContactLockParams{WorkspaceID: s.channel.WorkspaceID, ID: *s.in.ContactID})
	if postgres.IsNotFound(err) {
		return &UnknownContactError{ID: *s.in.ContactID}
	} else if err != nil {
		return fmt.Errorf("lock contact: %w", err)
	}
	s.contact = row
	known, err := db.New().IdentityLatestOfContact(ctx, s.tx, db.IdentityLatestOfContactParams{
		WorkspaceID: row.WorkspaceID, ContactID: row.ID, ChannelID: s.channel.ID,
	})
	if err == nil {
		s.identity = known.ExternalID
		return nil
	} else if !postgres.IsNotFound(err) {
		return fmt.Errorf("find identity: %w", err)
	}
	return s.reachable(ctx, row)
}

// reachable adds an identity made of the contact's own email address or phone number, unless
// the channel knows it as that of someone else.
func (s *starting) reachable(ctx context.Context, row db.Contact) error {
	for _, value := range []*string{row.Email, row.Phone} {
		if value == nil {
			continue
		}
		address, ok := s.initiator.Recipient(*value)
		if !ok {
			continue
		}
		s.identity = externalID(address.ExternalID)
		if err := s.addIdentity(ctx, address, row.ID); err != nil {
			return err
		}
		known, err := db.New().IdentityLock(ctx, s.tx, db.IdentityLockParams{WorkspaceID: row.WorkspaceID, ChannelID: s.channel.ID, ExternalID: s.identity})
		if err != nil {
			return fmt.Errorf("lock identity: %w", err)
		}
		if known.ContactID == row.ID {
			return nil
		}
	}
	return ErrRecipient
}

func (s *starting) addIdentity(ctx context.Context, address provider.Identity, contactID uuid.UUID) error {
	err := db.New().IdentityAdd(ctx, s.tx, db.IdentityAddParams{
		WorkspaceID: s.channel.WorkspaceID, ChannelID: s.channel.ID, ExternalID: s.identity, ContactID: contactID,
		Address: cleanOrNil(address.Address, maxExternalID), Name: cleanOrNil(address.Name, maxName), CreatedAt: s.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("add identity: %w", err)
	}
	return nil
}

// address finds or creates the contact of an address.
func (s *starting) address(ctx context.Context, address provider.Identity) error {
	q := db.New()
	s.identity = externalID(address.ExternalID)
	contactID, now := s.IDs.New()
	created, err := q.IdentityCreateWithContact(ctx, s.tx, db.IdentityCreateWithContactParams{
		WorkspaceID: s.channel.WorkspaceID, ChannelID: s.channel.ID, ExternalID: s.identity, ContactID: contactID,
		Address: cleanOrNil(address.Address, maxExternalID), Name: cleanOrNil(address.Name, maxName),
		Email: cleanOrNil(address.Email, maxEmail), Phone: cleanOrNil(address.Phone, maxPhone), CreatedAt: now,
	})
	if err == nil {
		s.contact = created
		s.events = append(s.events, event.ContactCreated{Contact: created})
		return nil
	} else if !postgres.IsNotFound(err) {
		return fmt.Errorf("create contact: %w", err)
	}
	known, err := q.IdentityLock(ctx, s.tx, db.IdentityLockParams{WorkspaceID: s.channel.WorkspaceID, ChannelID: s.channel.ID, ExternalID: s.identity})
	if err != nil {
		return fmt.Errorf("lock identity: %w", err)
	}
	if s.contact, err = q.ContactGet(ctx, s.tx, db.ContactGetParams{WorkspaceID: known.WorkspaceID, ID: known.ContactID}); err != nil {
		return fmt.Errorf("get contact: %w", err)
	}
	return nil
}

// run creates the conversation and its message, if the rules of the channel allow it.
func (s *starting) run(ctx context.Context) (db.Message, error) {
	row, err := s.begin(ctx, s.tx, beginning{
		channel: s.channel, contactID: s.contact.ID, status: api.ConversationStatusHANDEDOFF, identity: s.identity, subject: s.in.Subject,
	})
	if err != nil {
		return db.Message{}, err
	}
	s.events = append(s.events, event.ConversationChanged{Type: api.EventTypeConversationCreated, Conversation: row, Contact: s.contact})
	found, err := db.New().ConversationGet(ctx, s.tx, db.ConversationGetParams{WorkspaceID: row.WorkspaceID, ID: row.ID})
	if err != nil {
		return db.Message{}, fmt.Errorf("get conversation: %w", err)
	}
	reply := Reply{Content: s.in.Content}
	if err := s.accepts(found, reply); err != nil {
		return db.Message{}, err
	}
	message, payload, err := s.send(ctx, s.tx, row, outgoing{Reply: reply})
	if err != nil {
		return db.Message{}, err
	}
	return message, s.Events.Record(ctx, s.tx, row.WorkspaceID, message.CreatedAt, append(s.events, payload)...)
}
