package httpapi_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/workspace"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestWorkspaceCanRequireScopeForKnowledge turns the setting of one of two workspaces on
// and off again.
func TestWorkspaceCanRequireScopeForKnowledge(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	strict, other := s.Workspace(t, "strict"), s.Workspace(t, "other")
	spaces := &workspace.Service{DB: s.DB, IDs: s.IDs}
	weakest := []api.Scope{api.ScopeAnalyticsRead}
	tokens := map[string]string{
		"weak": s.Token(t, strict, weakest...), "enough": s.Token(t, strict, api.ScopeAgentsWrite), "other": s.Token(t, other, weakest...),
	}
	send := func(t *testing.T, o *spec.Operation, token string) apitest.Response {
		t.Helper()
		r := example(t, o)
		r.Token = tokens[token]
		return s.Do(t, r)
	}
	var guarded []string
	for _, on := range []bool{true, false} {
		require.NoError(t, spaces.RequireScopesForKnowledge(t.Context(), "strict", on))
		s.Clock.Advance(time.Second) // a token's settings are cached for that long
		for _, o := range s.Document.Operations {
			if o.Definition.Tags[0] != "Knowledge" {
				continue
			}
			for _, token := range []string{"enough", "other"} {
				require.NotEqual(t, http.StatusForbidden, send(t, o, token).Status, o.ID)
			}
			if !on || !o.Writes() {
				require.NotEqual(t, http.StatusForbidden, send(t, o, "weak").Status, o.ID)
				continue
			}
			refused := send(t, o, "weak").Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
			require.Equal(t, api.ScopeAgentsWrite, *refused.MissingScope)
			guarded = append(guarded, o.ID)
		}
	}
	slices.Sort(guarded)
	require.Equal(t, []string{"cancelKnowledgeJob", "crawlKnowledge", "deleteKnowledgeSource", "refreshKnowledgeSource", "uploadKnowledge"}, guarded)
	require.ErrorIs(t, spaces.RequireScopesForKnowledge(t.Context(), "nobody", true), workspace.ErrUnknown)
}
