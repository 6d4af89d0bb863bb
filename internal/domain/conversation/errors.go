package conversation

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
)

var (
	// ErrClosed means that a closed conversation accepts no reply.
	ErrClosed = errors.New("conversation: closed")
	// ErrNotHandedOff means that an agent still has the conversation: operators
	// cannot reply.
	ErrNotHandedOff = errors.New("conversation: not handed off")
	// ErrTagExists means that the workspace has a tag with the same name.
	ErrTagExists = errors.New("conversation: tag exists")
)

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
