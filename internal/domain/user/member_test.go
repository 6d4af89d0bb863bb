package user_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/testing/seed"
)

// team returns a workspace with two members, of whom the first belongs to another too.
func team(t *testing.T) (w *seed.World, s *user.Service, ola, jan db.User) {
	t.Helper()
	w, s = inWorkspaces(t)
	var err error
	ola, err = s.Create(t.Context(), user.New{Email: "ola@example.com", Name: "Ola", Password: password}, w.Ours, w.Theirs)
	require.NoError(t, err)
	jan, err = s.Create(t.Context(), user.New{Email: "jan@example.com", Name: "Jan", Password: password}, w.Ours)
	require.NoError(t, err)
	return w, s, ola, jan
}

func TestUsersAreListed(t *testing.T) {
	t.Parallel()
	w, s, ola, jan := team(t)
	nobody, err := s.Create(t.Context(), user.New{Email: "Adam@example.com", Name: "Adam", Password: password})
	require.NoError(t, err)
	list := func(slug string) (ids []uuid.UUID, workspaces [][]string) {
		rows, err := s.List(t.Context(), slug)
		require.NoError(t, err)
		for _, row := range rows {
			ids, workspaces = append(ids, row.ID), append(workspaces, row.Workspaces)
		}
		return ids, workspaces
	}
	ids, workspaces := list("")
	require.Equal(t, []uuid.UUID{nobody.ID, jan.ID, ola.ID}, ids, "by address")
	require.Equal(t, [][]string{{}, {"ours"}, {"ours", "theirs"}}, workspaces)
	ids, workspaces = list("theirs")
	require.Equal(t, []uuid.UUID{ola.ID}, ids)
	require.Equal(t, [][]string{{"ours", "theirs"}}, workspaces, "all of their workspaces")
	members, err := s.Members(t.Context(), w.Ours, 10)
	require.NoError(t, err)
	require.Len(t, members, 2)
	require.Equal(t, jan.ID, members[0].ID)
	members, err = s.Members(t.Context(), w.Ours, 1)
	require.NoError(t, err)
	require.Len(t, members, 1)
}

func TestARemovedMemberIsSignedOut(t *testing.T) {
	t.Parallel()
	w, s, ola, jan := team(t)
	before := w.Clock.Now().UnixMilli()
	require.False(t, user.SignedOut(ola, before))
	w.Clock.Advance(time.Minute)
	require.NoError(t, s.RemoveBy(t.Context(), w.DB, w.Ours, ola.ID, jan.ID))
	require.Equal(t, []string{"theirs"}, slugs(t, s, ola.ID))
	row, err := s.Get(t.Context(), ola.ID)
	require.NoError(t, err)
	require.True(t, user.SignedOut(row, before))
	require.False(t, user.SignedOut(row, w.Clock.Now().UnixMilli()), "they can sign in to their other workspaces")
	require.ErrorIs(t, s.RemoveBy(t.Context(), w.DB, w.Ours, ola.ID, jan.ID), user.ErrNotMember)
	require.ErrorIs(t, s.RemoveBy(t.Context(), w.DB, w.Ours, jan.ID, ola.ID), user.ErrNotMember, "a removed member removes no one")
	require.ErrorIs(t, s.RemoveBy(t.Context(), w.DB, w.Ours, jan.ID, jan.ID), user.ErrSelf)
	require.ErrorIs(t, s.RemoveBy(t.Context(), w.DB, w.Theirs, ola.ID, jan.ID), user.ErrNotMember, "nor does a user of another workspace")
	require.ErrorIs(t, s.Remove(t.Context(), w.DB, w.Ours, uuid.New()), user.ErrNotMember)
}

// TestAWorkspaceKeepsAMember lets two members remove each other at the same time.
func TestAWorkspaceKeepsAMember(t *testing.T) {
	t.Parallel()
	w, s, ola, jan := team(t)
	for range 20 {
		require.NoError(t, errors.Join(s.Join(t.Context(), ola.ID, w.Ours), s.Join(t.Context(), jan.ID, w.Ours)))
		var both sync.WaitGroup
		errs := make([]error, 2)
		both.Go(func() { errs[0] = s.RemoveBy(t.Context(), w.DB, w.Ours, ola.ID, jan.ID) })
		both.Go(func() { errs[1] = s.RemoveBy(t.Context(), w.DB, w.Ours, jan.ID, ola.ID) })
		both.Wait()
		require.ErrorIs(t, errors.Join(errs...), user.ErrNotMember)
		members, err := s.Members(t.Context(), w.Ours, 10)
		require.NoError(t, err)
		require.Len(t, members, 1)
	}
}

func TestADeletedUserLeavesTheirTokens(t *testing.T) {
	t.Parallel()
	w, s, ola, _ := team(t)
	tokens := &token.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock}
	_, _, err := tokens.Create(t.Context(), w.DB, token.NewToken{WorkspaceID: w.Ours, Name: "crm", Scopes: []api.Scope{api.ScopeLeadsRead}, CreatedBy: &ola.ID})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), w.DB, ola.ID))
	_, err = s.Get(t.Context(), ola.ID)
	require.ErrorIs(t, err, user.ErrUnknown)
	require.Empty(t, slugs(t, s, ola.ID))
	_, err = s.Authenticate(t.Context(), ola.Email, password)
	require.ErrorIs(t, err, user.ErrCredentials)
	rows, err := tokens.List(t.Context(), w.Ours)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Nil(t, rows[0].Creator)
	require.True(t, token.Live(rows[0].APIToken, w.Clock.Now()))
	require.ErrorIs(t, s.Delete(t.Context(), w.DB, ola.ID), user.ErrUnknown)
}
