package user

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/postgres"
)

var (
	// ErrSelf means that a member tried to remove themselves.
	ErrSelf = errors.New("user: members cannot remove themselves")
	// ErrNotMember means that a user is not a member of the workspace.
	ErrNotMember = errors.New("user: not a member of the workspace")
)

// List returns all users, or those of the workspace with a slug, with the slugs of their
// workspaces, by address.
func (s *Service) List(ctx context.Context, slug string) ([]db.SystemUserListRow, error) {
	rows, err := db.New().SystemUserList(ctx, s.DB, db.SystemUserListParams{Slug: slug})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return rows, nil
}

// Members returns up to limit members of a workspace, by address.
func (s *Service) Members(ctx context.Context, workspaceID uuid.UUID, limit int32) ([]db.MembershipListUsersRow, error) {
	rows, err := db.New().MembershipListUsers(ctx, s.DB, db.MembershipListUsersParams{WorkspaceID: workspaceID, RowLimit: limit})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return rows, nil
}

// Remove removes a user from a workspace and ends all their sessions. It fails with
// ErrNotMember.
func (s *Service) Remove(ctx context.Context, on postgres.Conn, workspaceID, userID uuid.UUID) error {
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		removed, err := db.New().MembershipDelete(ctx, tx, db.MembershipDeleteParams{WorkspaceID: workspaceID, UserID: userID})
		if err != nil {
			return fmt.Errorf("remove member: %w", err)
		}
		if removed == 0 {
			return ErrNotMember
		}
		now := s.Clock.Now()
		if err := db.New().SystemUserEndSessions(ctx, tx, db.SystemUserEndSessionsParams{ID: userID, SessionsFrom: &now}); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return nil
	})
}

// RemoveBy is Remove by another member. No one can remove themselves, so that a workspace
// that has members keeps one, also if two remove each other at the same time. It fails with
// ErrSelf, and with ErrNotMember if either is no member (any more).
func (s *Service) RemoveBy(ctx context.Context, on postgres.Conn, workspaceID, userID, by uuid.UUID) error {
	if userID == by {
		return ErrSelf
	}
	return postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		both := []uuid.UUID{userID, by}
		members, err := db.New().MembershipLock(ctx, tx, db.MembershipLockParams{WorkspaceID: workspaceID, UserIds: both})
		if err != nil {
			return fmt.Errorf("lock members: %w", err)
		}
		if !slices.Contains(members, by) {
			return ErrNotMember
		}
		return s.Remove(ctx, tx, workspaceID, userID)
	})
}

// Delete deletes a user with their memberships and password, which ends their sessions. Tokens
// that they created stay valid. It fails with ErrUnknown.
func (s *Service) Delete(ctx context.Context, on postgres.Conn, userID uuid.UUID) error {
	deleted, err := db.New().SystemUserDelete(ctx, on, db.SystemUserDeleteParams{ID: userID})
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	if deleted == 0 {
		return ErrUnknown
	}
	return nil
}

// SignedOut reports whether a session that began at a time, in Unix milliseconds, is over: the
// password was changed since, or the user was removed from a workspace.
func SignedOut(row db.User, since int64) bool {
	return since < row.PasswordChangedAt.UnixMilli() || row.SessionsFrom != nil && since < row.SessionsFrom.UnixMilli()
}
