// Package user holds the people who sign in to the console: their passwords and the
// workspaces that they may enter.
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
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	maxEmailBytes    = 254 // RFC 5321, section 4.5.3.1.3
	maxNameRunes     = 100
	minPasswordRunes = 12
	maxPasswordBytes = 1024
)

var (
	// ErrCredentials means that address and password do not go together; which of
	// them is wrong is not told.
	ErrCredentials = errors.New("user: wrong e-mail address or password")
	// ErrTaken means that another user has the address.
	ErrTaken = errors.New("user: the e-mail address is taken")
	// ErrUnknown means that there is no such user.
	ErrUnknown = errors.New("user: unknown")
	// ErrEmail means that a text is no e-mail address.
	ErrEmail = errors.New("user: not an e-mail address")
	// ErrName means that a name is empty or above 100 characters.
	ErrName = errors.New("user: a name has 1 to 100 characters")
	// ErrPassword means that a password is too short or too long.
	ErrPassword = fmt.Errorf("user: a password has %d characters or more, and at most %d bytes", minPasswordRunes, maxPasswordBytes)
)

// Service creates users and tells who they are.
type Service struct {
	DB     *postgres.DB
	IDs    *id.Generator
	Clock  clock.Clock
	Hasher *Hasher
}

// New is a user to create.
type New struct{ Email, Name, Password string }

// Create stores a user and lets them into workspaces, all or nothing. It fails with
// ErrEmail, ErrName, ErrPassword or ErrTaken.
func (s *Service) Create(ctx context.Context, in New, workspaceIDs ...uuid.UUID) (row db.User, err error) {
	if address, err := mail.ParseAddress(in.Email); err != nil || address.Address != in.Email || len(in.Email) > maxEmailBytes {
		return db.User{}, fmt.Errorf("%w: %q", ErrEmail, in.Email)
	}
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > maxNameRunes {
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

// Authenticate returns the user of an address if the password is theirs, else
// ErrCredentials. It takes as long for an address that nobody has. Where there is a
// user, they are returned with ErrCredentials too.
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

// ByEmail returns the user of an address, whatever its case, or ErrUnknown.
func (s *Service) ByEmail(ctx context.Context, email string) (db.User, error) {
	if strings.ContainsRune(email, 0) || !utf8.ValidString(email) {
		return db.User{}, ErrUnknown // the database could not even ask
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

// SetPassword replaces a password and ends all of the user's sessions. It fails with
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

// Join lets a user into workspaces, all or none.
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

// Workspaces returns those that a user may enter, by name.
func (s *Service) Workspaces(ctx context.Context, userID uuid.UUID) ([]db.Workspace, error) {
	rows, err := db.New().SystemMembershipList(ctx, s.DB, db.SystemMembershipListParams{UserID: userID})
	if err != nil {
		return nil, fmt.Errorf("list memberships: %w", err)
	}
	return rows, nil
}
