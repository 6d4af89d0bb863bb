package user_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/testing/testdb"
)

const password = "correct horse battery"

func setup(t *testing.T) *user.Service {
	t.Helper()
	c := clock.NewFake(time.Date(2026, time.April, 30, 12, 0, 0, 0, time.UTC))
	return &user.Service{DB: testdb.New(t), IDs: id.NewGenerator(c), Clock: c, Hasher: user.NewHasher()}
}

func TestPasswordsAreStoredAsArgon2id(t *testing.T) {
	t.Parallel()
	s := setup(t)
	row, err := s.Create(t.Context(), user.New{Email: "Ola@example.com", Name: "Ola", Password: password})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(row.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$"), row.PasswordHash)
	found, err := s.Authenticate(t.Context(), "oLA@example.com", password)
	require.NoError(t, err)
	require.Equal(t, row.ID, found.ID)
	found, err = s.Authenticate(t.Context(), "ola@example.com", "another password")
	require.ErrorIs(t, err, user.ErrCredentials)
	require.Equal(t, row.ID, found.ID, "the user whose password was tried")
	found, err = s.Authenticate(t.Context(), "nobody@example.com", password)
	require.ErrorIs(t, err, user.ErrCredentials)
	require.Equal(t, uuid.Nil, found.ID)
	_, err = s.Authenticate(t.Context(), "ola@example.com", strings.Repeat("x", 10_000))
	require.ErrorIs(t, err, user.ErrCredentials)
}

func TestCreateValidatesItsInput(t *testing.T) {
	t.Parallel()
	s := setup(t)
	good := user.New{Email: "ola@example.com", Name: "Ola", Password: password}
	_, err := s.Create(t.Context(), good)
	require.NoError(t, err)
	for _, one := range []struct {
		change func(*user.New)
		want   error
	}{
		{func(n *user.New) { n.Email = "OLA@example.com" }, user.ErrTaken},
		{func(n *user.New) { n.Email = "Ola <ola@example.com>" }, user.ErrEmail},
		{func(n *user.New) { n.Email = "ola" }, user.ErrEmail},
		{func(n *user.New) { n.Name = "" }, user.ErrName},
		{func(n *user.New) { n.Name = " \t" }, user.ErrName},
		{func(n *user.New) { n.Name = "O\u200bla" }, label.ErrInvisible},
		{func(n *user.New) { n.Name = "O\nla" }, label.ErrInvisible},
		{func(n *user.New) { n.Name = strings.Repeat("x", 101) }, user.ErrName},
		{func(n *user.New) { n.Password = "too short" }, user.ErrPassword},
		{func(n *user.New) { n.Password = strings.Repeat("x", 1025) }, user.ErrPassword},
	} {
		bad := good
		one.change(&bad)
		_, err := s.Create(t.Context(), bad)
		require.ErrorIs(t, err, one.want)
	}
	require.ErrorIs(t, s.SetPassword(t.Context(), uuid.New(), password), user.ErrUnknown)
	require.ErrorIs(t, s.SetPassword(t.Context(), uuid.New(), "short"), user.ErrPassword)
}

// TestHashingIsBounded checks that many sign-ins cannot exhaust the memory, and that a
// cancelled caller stops waiting.
func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	h := user.NewHasher()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var refused int
	for range 20 {
		if _, err := h.Hash(ctx, password); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			refused++
		}
	}
	require.Positive(t, refused)
}

func TestNewPasswordIsRandom(t *testing.T) {
	t.Parallel()
	first, second := user.NewPassword(), user.NewPassword()
	require.Regexp(t, `^[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}$`, first)
	require.NotEqual(t, first, second)
}
