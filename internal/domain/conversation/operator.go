package conversation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

var (
	// ErrUnknownUser means that no member of the workspace has an email address.
	ErrUnknownUser = errors.New("conversation: unknown user")
	// ErrOperatorExists means that another operator is linked to a user.
	ErrOperatorExists = errors.New("conversation: operator exists")
)

// Operator returns an operator, or postgres.ErrNotFound.
func (s *Service) Operator(ctx context.Context, workspaceID, operatorID uuid.UUID) (db.OperatorGetRow, error) {
	return operator(ctx, s.DB, workspaceID, operatorID)
}

func operator(ctx context.Context, on postgres.Conn, workspaceID, operatorID uuid.UUID) (db.OperatorGetRow, error) {
	row, err := db.New().OperatorGet(ctx, on, db.OperatorGetParams{WorkspaceID: workspaceID, ID: operatorID})
	return row, postgres.Found("get operator", err)
}

// CreateOperator stores an operator, linked to the console user with an email address if
// there is one. It fails with ErrUnknownUser, ErrOperatorExists, label.ErrEmpty or
// label.ErrInvisible.
func (s *Service) CreateOperator(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, name string, email *string) (row db.OperatorGetRow, err error) {
	name, err = label.Clean(name)
	if err != nil {
		return row, err
	}
	operatorID, now := s.IDs.New()
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		userID, err := member(ctx, tx, workspaceID, email)
		if err != nil {
			return err
		}
		err = db.New().OperatorCreate(ctx, tx, db.OperatorCreateParams{WorkspaceID: workspaceID, ID: operatorID, Name: name, UserID: userID, CreatedAt: now})
		if err := linked(err); err != nil {
			return err
		}
		row, err = operator(ctx, tx, workspaceID, operatorID)
		return err
	})
	return row, err
}

// OperatorChange is what to change of an operator; what is nil stays.
type OperatorChange struct {
	Name  *string
	Email func() *string
}

// UpdateOperator changes an operator. It fails with postgres.ErrNotFound, and as
// CreateOperator does.
func (s *Service) UpdateOperator(ctx context.Context, on postgres.Conn, workspaceID, operatorID uuid.UUID, change OperatorChange) (row db.OperatorGetRow, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		before, err := db.New().OperatorLock(ctx, tx, db.OperatorLockParams{WorkspaceID: workspaceID, ID: operatorID})
		if err := postgres.Found("lock operator", err); err != nil {
			return err
		}
		params := db.OperatorUpdateParams{WorkspaceID: workspaceID, ID: operatorID, Name: before.Name, UserID: before.UserID}
		if change.Name != nil {
			if params.Name, err = label.Clean(*change.Name); err != nil {
				return err
			}
		}
		if change.Email != nil {
			if params.UserID, err = member(ctx, tx, workspaceID, change.Email()); err != nil {
				return err
			}
		}
		if err := linked(db.New().OperatorUpdate(ctx, tx, params)); err != nil {
			return err
		}
		row, err = operator(ctx, tx, workspaceID, operatorID)
		return err
	})
	return row, err
}

// member returns the user with an email address who is a member of the workspace; nil
// without an address.
func member(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID, email *string) (userID *uuid.UUID, err error) {
	if email == nil {
		return userID, nil
	}
	found, err := db.New().MemberByEmail(ctx, tx, db.MemberByEmailParams{WorkspaceID: workspaceID, Email: *email})
	if postgres.IsNotFound(err) {
		return nil, ErrUnknownUser
	} else if err != nil {
		return nil, fmt.Errorf("look up member: %w", err)
	}
	return &found, nil
}

// linked explains the error of a statement that links an operator to a user.
func linked(err error) error {
	if postgres.Violates(err, db.OperatorsUserKey) {
		return ErrOperatorExists
	} else if err != nil {
		return fmt.Errorf("store operator: %w", err)
	}
	return nil
}
