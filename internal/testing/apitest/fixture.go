package apitest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/demo"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/platform/id"
)

// Space is a workspace with the demo data, and a token with every scope.
type Space struct {
	ID    uuid.UUID
	Token string
}

// Demo loads the demo data and returns its two workspaces.
func (s *Server) Demo(t testing.TB) (rich, other Space) {
	t.Helper()
	loaded, err := demo.Load(t.Context(), s.DB)
	require.NoError(t, err)
	require.True(t, loaded)
	return s.space(t, demo.Slug), s.space(t, demo.OtherSlug)
}

func (s *Server) space(t testing.TB, slug string) Space {
	t.Helper()
	row, err := (&workspace.Service{DB: s.DB, IDs: id.NewGenerator(s.Clock)}).BySlug(t.Context(), slug)
	require.NoError(t, err)
	return Space{ID: row.ID, Token: s.Token(t, row.ID)}
}

// Conversation returns a conversation with a status.
func (s *Server) Conversation(t testing.TB, in Space, status api.ConversationStatus) api.Conversation {
	t.Helper()
	found := Decode[[]api.Conversation](t, s.Get(t, in.Token, "/conversations?status="+string(status)).Want(t, 200))
	require.NotEmpty(t, found)
	return found[0]
}

// First returns the first item of a list.
func First[Item any](t testing.TB, s *Server, in Space, path string) Item {
	t.Helper()
	found := Decode[[]Item](t, s.Get(t, in.Token, path).Want(t, 200))
	require.NotEmpty(t, found)
	return found[0]
}
