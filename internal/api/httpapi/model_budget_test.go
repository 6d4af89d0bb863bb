package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/modeltest"
)

// TestBudgetsArePartOfTheAPI sets prices and budgets, and lets checks spend them.
func TestBudgetsArePartOfTheAPI(t *testing.T) {
	t.Parallel()
	s, rich := setupModels(t)
	get := func() api.ModelBudget {
		return apitest.Decode[api.ModelBudget](t, s.Get(t, rich.Token, "/model-budget").Want(t, http.StatusOK))
	}
	require.Equal(t, api.ModelBudget{Currency: "USD", WhenExceeded: api.ModelBudgetExceededHANDOFF, Month: "2026-04"}, get())
	for _, body := range []string{`{}`, `{"currency":"usd"}`, `{"monthlyBudgetMicros":-1}`, `{"whenExceeded":"NEVER"}`} {
		s.Patch(t, rich.Token, "/model-budget", body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	server := modeltest.New(t, modeltest.Sends(modeltest.Fixture(t, "openai/text.json")))
	path := "/model-providers/openai"
	prices := []api.ModelPrice{{Model: "a", OutputMicrosPerMillionTokens: 7}, {Model: "m", InputMicrosPerMillionTokens: 1_000_000, OutputMicrosPerMillionTokens: 2_000_000}}
	s.Patch(t, rich.Token, path, map[string]any{"apiKey": modelKey, "baseUrl": server.URL, "prices": prices}).Want(t, http.StatusOK)
	kept := apitest.Decode[api.ModelProvider](t, s.Patch(t, rich.Token, path, map[string]any{"apiKey": modelKey}).Want(t, http.StatusOK))
	require.Equal(t, prices, kept.Prices, "prices stay if they are omitted")

	agent := apitest.Decode[api.AgentDetail](t, s.Post(t, rich.Token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m","monthlyBudgetMicros":2000}`).Want(t, http.StatusCreated))
	require.Equal(t, int64(2000), *agent.MonthlyBudgetMicros)
	check := func() *api.AgentRunReason {
		return apitest.Decode[api.AgentCheck](t, s.Post(t, rich.Token, "/agents/"+agent.ID.String()+"/check", nil).Want(t, http.StatusOK)).Reason
	}
	require.Nil(t, check())
	require.Equal(t, int64(1180+2*23), get().SpentMicros)
	s.Patch(t, rich.Token, "/model-budget", `{"currency":"EUR","monthlyBudgetMicros":1226,"whenExceeded":"HAND_OFF"}`).Want(t, http.StatusOK)
	require.Equal(t, api.AgentRunReasonBudgetExceeded, *check())
	s.Patch(t, rich.Token, "/model-budget", `{"monthlyBudgetMicros":null}`).Want(t, http.StatusOK)
	require.Nil(t, check())
	require.Equal(t, api.AgentRunReasonBudgetExceeded, *check(), "the agent's own")
	changed := apitest.Decode[api.AgentDetail](t, s.Patch(t, rich.Token, "/agents/"+agent.ID.String(), `{"monthlyBudgetMicros":null}`).Want(t, http.StatusOK))
	require.Nil(t, changed.MonthlyBudgetMicros)
	require.Nil(t, check())
	s.Patch(t, rich.Token, "/agents/"+agent.ID.String(), `{"monthlyBudgetMicros":5}`).Want(t, http.StatusOK)
	renamed := apitest.Decode[api.AgentDetail](t, s.Patch(t, rich.Token, "/agents/"+agent.ID.String(), `{"name":"B","modelName":"unknown"}`).Want(t, http.StatusOK))
	require.Equal(t, int64(5), *renamed.MonthlyBudgetMicros, "it stays if it is omitted")
	require.Equal(t, api.AgentRunReasonPriceUnknown, *check())
	// To JSON Schema these are integers.
	s.Patch(t, rich.Token, "/model-budget", `{"monthlyBudgetMicros":432177495876.0}`).Want(t, http.StatusOK)
	require.Equal(t, int64(432177495876), *get().MonthlyBudgetMicros)
	s.Patch(t, rich.Token, "/agents/"+agent.ID.String(), `{"monthlyBudgetMicros":1e3}`).Want(t, http.StatusOK)
}
