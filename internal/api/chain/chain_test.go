package chain_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/openapi"
)

func names(recipes []chain.Recipe) []string {
	all := []string{}
	for _, r := range recipes {
		all = append(all, r.Variable)
	}
	return all
}

func TestRecipesNeedEarlierOnes(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, r := range chain.Recipes() {
		for _, needed := range r.Needs() {
			require.True(t, known[needed], "%s needs %s", r.Variable, needed)
		}
		known[r.Variable] = true
	}
	require.Equal(t, []string{"agentId", "channelId", "conversationId", "messageId"}, names(chain.For([]string{"messageId"})))
	require.Empty(t, chain.For(nil))
	require.Equal(t, []string{"webhookId", "deliveredLeadId", "deliveryId"}, chain.Lost("webhookId"))
}

// TestEveryPathParameterHasAVariable: a parameter without one would be an id that no
// workspace has.
func TestEveryPathParameterHasAVariable(t *testing.T) {
	t.Parallel()
	document, err := spec.Load(openapi.JSON)
	require.NoError(t, err)
	known := names(chain.Recipes())
	for _, o := range document.Operations {
		for _, p := range o.Parameters {
			if p.In == "path" && p.Name != "version" && o.ID != "getAttachment" {
				require.Contains(t, known, chain.Parameter(o, p.Name), o.ID)
			}
		}
	}
}

func TestBodiesNameVariables(t *testing.T) {
	t.Parallel()
	const id = "019dde42-9a00-7c3a-9f21-6a0b5f1d2e01"
	got := chain.Body(json.RawMessage(`{"agentId": "` + id + `", "ids":["` + id + `","` + id + `"], "name": "` + id + `"}`))
	require.JSONEq(t, `{"agentId": "{{agentId}}", "ids": ["{{conversationId}}"], "name": "`+id+`"}`, string(got))
	require.Equal(t, []string{"agentId", "conversationId"}, chain.Variables(string(got)))
	require.Equal(t, "x-1-2", chain.Replace("x-{{agentId}}-{{unique}}", func(v string) string {
		return map[string]string{"agentId": "1", "unique": "2"}[v]
	}))
}
