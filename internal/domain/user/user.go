// Package user manages the people who sign in to the console: their passwords and the
// workspaces that they can access.
package user

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	maxEmailBytes    = 254 // RFC 5321, section 4.5.3.1.3
	maxNameRunes     = 100
	minPasswordRunes = 12
	maxPasswordBytes = 1024
)

var (
	// ErrCredentials means that the email address or the password is wrong. It does not say
	// which of them.
	ErrCredentials = errors.New("user: wrong email address or password")
	// ErrTaken means that another user has this email address.
	ErrTaken = errors.New("user: the email address is already taken")
	// ErrUnknown means that the user does not exist.
	ErrUnknown = errors.New("user: unknown")
	// ErrEmail means that an email address is not valid.
	ErrEmail = errors.New("user: not an email address")
	// ErrName means that a name is empty or longer than 100 characters.
	ErrName = errors.New("user: a name must have 1 to 100 characters")
	// ErrPassword means that a password is too short or too long.
	ErrPassword = fmt.Errorf("user: a password must have at least %d characters and at most %d bytes", minPasswordRunes, maxPasswordBytes)
)

// Service creates and authenticates users.
type Service struct {
	DB     *postgres.DB
	IDs    *id.Generator
	Clock  clock.Clock
	Hasher *Hasher
}

// New describes a user to create.
type New struct{ Email, Name, Password string }

// Create stores a user with memberships of workspaces, all or nothing. It fails with
// ErrEmail, ErrName, label.ErrInvisible, ErrPassword or ErrTaken.
func (s *Service) Create(ctx context.Context, in New, workspaceIDs ...uuid.UUID) (row db.User, err error) {
	if address, err := mail.ParseAddress(in.Email); err != nil || address.Address != in.Email || len(in.Email) > maxEmailBytes {
		return db.User{}, fmt.Errorf("%w: %q", ErrEmail, in.Email)
	}
	in.Name, err = label.Clean(in.Name)
	if errors.Is(err, label.ErrInvisible) {
		return db.User{}, fmt.Errorf("name: %w", err)
	} else if err != nil || utf8.RuneCountInString(in.Name) > maxNameRunes {
		return db.User{}, ErrName
	}
	hash, err := s.hash(ctx, in.Password)
	if err != nil {
		return db.User{}, err
	}
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = s.insert(ctx, tx, in, hash); err != nil {
			return err
		}
		return s.join(ctx, tx, row.ID, workspaceIDs)
	})
	return row, err
}

func (s *Service) insert(ctx context.Context, tx postgres.Tx, in New, hash string) (db.User, error) {
	userID, now := s.IDs.New()
	row, err := db.New().SystemUserCreate(ctx, tx, db.SystemUserCreateParams{
		ID: userID, Email: in.Email, Name: in.Name, PasswordHash: hash, CreatedAt: now,
	})
	if postgres.Violates(err, db.UsersEmailKey) {
		return db.User{}, ErrTaken
	} else if err != nil {
		return db.User{}, fmt.Errorf("create user: %w", err)
	}
	return row, nil
}

func (s *Service) hash(ctx context.Context, password string) (string, error) {
	if utf8.RuneCountInString(password) < minPasswordRunes || len(password) > maxPasswordBytes {
		return "", ErrPassword
	}
	return s.Hasher.Hash(ctx, password)
}

// Authenticate returns the user with this email address and password, or ErrCredentials. It
// takes as long for an unknown address. A user whose password is wrong is returned together
// with ErrCredentials.
func (s *Service) Authenticate(ctx context.Context, email, password string) (db.User, error) {
	row, err := s.ByEmail(ctx, email)
	known := err == nil
	if err != nil && !errors.Is(err, ErrUnknown) {
		return db.User{}, err
	}
	hash := row.PasswordHash
	if !known {
		hash = s.Hasher.nobody
	}
	if len(password) > maxPasswordBytes {
		password = ""
	}
	matches, err := s.Hasher.Matches(ctx, password, hash)
	if err != nil {
		return db.User{}, err
	}
	if !known || !matches {
		return row, ErrCredentials
	}
	return row, nil
}

// ByEmail returns the user with this email address in any case, or ErrUnknown.
func (s *Service) ByEmail(ctx context.Context, email string) (db.User, error) {
	if strings.ContainsRune(email, 0) || !utf8.ValidString(email) {
		return db.User{}, ErrUnknown // PostgreSQL refuses such a text
	}
	row, err := db.New().SystemUserByEmail(ctx, s.DB, db.SystemUserByEmailParams{Email: email})
	return row, found(err)
}

// Get returns a user, or ErrUnknown.
func (s *Service) Get(ctx context.Context, userID uuid.UUID) (db.User, error) {
	row, err := db.New().SystemUserGet(ctx, s.DB, db.SystemUserGetParams{ID: userID})
	return row, found(err)
}

func found(err error) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsNotFound(err):
		return ErrUnknown
	}
	return fmt.Errorf("look up user: %w", err)
}

// SetPassword replaces a password and ends all sessions of the user. It fails with
// ErrPassword or ErrUnknown.
func (s *Service) SetPassword(ctx context.Context, userID uuid.UUID, password string) error {
	hash, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	changed, err := db.New().SystemUserSetPassword(ctx, s.DB, db.SystemUserSetPasswordParams{ID: userID, PasswordHash: hash, ChangedAt: s.Clock.Now()})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if changed == 0 {
		return ErrUnknown
	}
	return nil
}

// Join makes a user a member of workspaces, all or none.
func (s *Service) Join(ctx context.Context, userID uuid.UUID, workspaceIDs ...uuid.UUID) error {
	return postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx postgres.Tx) error {
		return s.join(ctx, tx, userID, workspaceIDs)
	})
}

func (s *Service) join(ctx context.Context, tx postgres.Tx, userID uuid.UUID, workspaceIDs []uuid.UUID) error {
	for _, workspaceID := range workspaceIDs {
		err := db.New().MembershipCreate(ctx, tx, db.MembershipCreateParams{WorkspaceID: workspaceID, UserID: userID, CreatedAt: s.Clock.Now()})
		if err != nil {
			return fmt.Errorf("join workspace: %w", err)
		}
	}
	return nil
}

// Workspaces returns the workspaces of a user, by name.
func (s *Service) Workspaces(ctx context.Context, userID uuid.UUID) ([]db.Workspace, error) {
	rows, err := db.New().SystemMembershipList(ctx, s.DB, db.SystemMembershipListParams{UserID: userID})
	if err != nil {
		return nil, fmt.Errorf("list memberships: %w", err)
	}
	return rows, nil
}
