package user_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/testing/seed"
)

// inWorkspaces returns a service and two workspaces.
func inWorkspaces(t *testing.T) (*seed.World, *user.Service) {
	t.Helper()
	w := seed.New(t)
	return w, &user.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Hasher: user.NewHasher()}
}

func slugs(t *testing.T, s *user.Service, userID uuid.UUID) (names []string) {
	t.Helper()
	rows, err := s.Workspaces(t.Context(), userID)
	require.NoError(t, err)
	for _, row := range rows {
		names = append(names, row.Slug)
	}
	return names
}

func TestAUserAccessesOnlyTheirWorkspaces(t *testing.T) {
	t.Parallel()
	w, s := inWorkspaces(t)
	first := w.Workspace(t, "first")
	ola, err := s.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: password}, w.Theirs)
	require.NoError(t, err)
	jan, err := s.Create(t.Context(), user.New{Email: "jan@example.com", Name: "Jan", Password: password})
	require.NoError(t, err)
	require.Equal(t, []string{"theirs"}, slugs(t, s, ola.ID))
	require.Empty(t, slugs(t, s, jan.ID))
	require.NoError(t, s.Join(t.Context(), ola.ID, first, w.Theirs, first), "joining a workspace again changes nothing")
	require.Equal(t, []string{"first", "theirs"}, slugs(t, s, ola.ID), "by name")
	require.Empty(t, slugs(t, s, jan.ID))
}

func TestJoiningIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w, s := inWorkspaces(t)
	_, err := s.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: password}, w.Ours, uuid.New())
	require.Error(t, err)
	_, err = s.ByEmail(t.Context(), "ola@example.com")
	require.ErrorIs(t, err, user.ErrUnknown, "the user is not stored")
	ola, err := s.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: password})
	require.NoError(t, err, "and the address is free")
	require.Error(t, s.Join(t.Context(), ola.ID, w.Ours, uuid.New()))
	require.Empty(t, slugs(t, s, ola.ID))
}

func TestSetPasswordReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	w, s := inWorkspaces(t)
	ola, err := s.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: password})
	require.NoError(t, err)
	w.Clock.Advance(time.Hour)
	const next = "żółta łódź podwodna" // longer in bytes than in characters
	require.NoError(t, s.SetPassword(t.Context(), ola.ID, next))
	_, err = s.Authenticate(t.Context(), ola.Email, password)
	require.ErrorIs(t, err, user.ErrCredentials)
	found, err := s.Authenticate(t.Context(), ola.Email, next)
	require.NoError(t, err)
	require.Equal(t, seed.Start.Add(time.Hour), found.PasswordChangedAt.UTC(), "which ends the sessions from before")
	require.ErrorIs(t, s.SetPassword(t.Context(), ola.ID, "short"), user.ErrPassword)
	again, err := s.Get(t.Context(), ola.ID)
	require.NoError(t, err)
	require.Equal(t, found, again)
}

func TestUnknownUsersAreNotFound(t *testing.T) {
	t.Parallel()
	_, s := inWorkspaces(t)
	for _, email := range []string{"", "nobody@example.com", "a\x00b@example.com", "\xff@example.com"} {
		row, err := s.ByEmail(t.Context(), email)
		require.ErrorIs(t, err, user.ErrUnknown, "%q", email)
		require.Zero(t, row)
		_, err = s.Authenticate(t.Context(), email, password)
		require.ErrorIs(t, err, user.ErrCredentials, "%q", email)
	}
	row, err := s.Get(t.Context(), uuid.New())
	require.ErrorIs(t, err, user.ErrUnknown)
	require.Equal(t, db.User{}, row)
}
