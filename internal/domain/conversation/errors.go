package conversation

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
)

var (
	// ErrClosed means that a closed conversation accepts no reply.
	ErrClosed = errors.New("conversation: closed")
	// ErrNotHandedOff means that an agent still has the conversation: operators
	// cannot reply.
	ErrNotHandedOff = errors.New("conversation: not handed off")
	// ErrRecipient means that a channel has no address of a contact.
	ErrRecipient = errors.New("conversation: no recipient")
	// ErrTagExists means that the workspace has a tag with the same name.
	ErrTagExists = errors.New("conversation: tag exists")
)

// ReplyRefusedError means that the channel allows no reply in a conversation now.
type ReplyRefusedError struct{ Policy Policy }

// Error implements error.
func (e *ReplyRefusedError) Error() string {
	return fmt.Sprintf("conversation: no reply: %s", e.Policy.Reason)
}

// TooLongError means that a message is longer than its channel allows, in characters.
type TooLongError struct{ MaxLength int }

// Error implements error.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("conversation: longer than %d characters", e.MaxLength)
}

// UnknownChannelError means that the workspace has no such channel.
type UnknownChannelError struct{ ID uuid.UUID }

// Error implements error.
func (e *UnknownChannelError) Error() string {
	return fmt.Sprintf("conversation: unknown channel %s", e.ID)
}

// UnknownContactError means that the workspace has no such contact.
type UnknownContactError struct{ ID uuid.UUID }

// Error implements error.
func (e *UnknownContactError) Error() string {
	return fmt.Sprintf("conversation: unknown contact %s", e.ID)
}

// CannotInitiateError means that operators cannot write first through channels of a type.
type CannotInitiateError struct{ Type api.ChannelType }

// Error implements error.
func (e *CannotInitiateError) Error() string {
	return fmt.Sprintf("conversation: %s cannot initiate", e.Type)
}

// InvalidAddressError means that a text is not an address of a channel type.
type InvalidAddressError struct{ Type api.ChannelType }

// Error implements error.
func (e *InvalidAddressError) Error() string {
	return fmt.Sprintf("conversation: not an address for %s", e.Type)
}

// UnknownMessageError means that a conversation has no such message.
type UnknownMessageError struct{ ID uuid.UUID }

// Error implements error.
func (e *UnknownMessageError) Error() string {
	return fmt.Sprintf("conversation: unknown message %s", e.ID)
}

// UnknownOperatorError means that the workspace has no such operator.
type UnknownOperatorError struct{ ID uuid.UUID }

// Error implements error.
func (e *UnknownOperatorError) Error() string {
	return fmt.Sprintf("conversation: unknown operator %s", e.ID)
}

// UnknownTagsError lists tags that the workspace does not have.
type UnknownTagsError struct{ IDs []uuid.UUID }

// Error implements error.
func (e *UnknownTagsError) Error() string { return fmt.Sprintf("conversation: unknown tags %v", e.IDs) }

// unknownTags returns the error for those of ids that are not among the known tags.
func unknownTags(ids []uuid.UUID, known []db.Tag) error {
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool {
		return slices.ContainsFunc(known, func(tag db.Tag) bool { return tag.ID == id })
	})
	return &UnknownTagsError{IDs: unknown}
}
