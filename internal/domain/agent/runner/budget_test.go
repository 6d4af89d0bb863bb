package runner_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/model"
)

// TestRunsStayWithinTheBudget prices the model so that the budget is enough for one reply. Then
// the agent does what the workspace has set.
func TestRunsStayWithinTheBudget(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.models.Script(func(context.Context, model.Request) (model.Response, error) {
		return model.Response{Content: "We do. [1]", Usage: model.Usage{InputTokens: 900, OutputTokens: 100}}, nil
	})
	f.Exec(t, "ALTER TABLE model_providers DROP CONSTRAINT model_providers_provider_check")
	f.Exec(t, `INSERT INTO model_providers (workspace_id, provider, prices, created_at, updated_at)
		SELECT workspace_id, model_provider, jsonb_build_object(model_name, '{"input": 1000000, "output": 1000000}'::jsonb), now(), now()
		FROM agents WHERE id = $1`, f.agent)
	f.run(t)
	ask := func(want api.AgentRunOutcome) (reason *string, cost *int64, provider string) {
		received := f.writes(t, f.visitor(t, f.Ours, f.agent, api.ChannelTypeWEBSITE), "Do you deliver shoes to Norway?")
		run := f.ended(t, received.Conversation.ID, 1)[0]
		require.Equal(t, want, *run.Outcome)
		return run.Reason, run.CostMicros, *run.ModelProvider
	}
	_, cost, provider := ask(api.AgentRunOutcomeANSWERED)
	require.Equal(t, int64(1000), *cost)
	require.Equal(t, "scripted", provider)

	set := func(instead api.ModelBudgetExceeded) {
		f.Exec(t, `INSERT INTO model_budgets (workspace_id, currency, monthly_micros, when_exceeded, updated_at) VALUES ($1, 'EUR', 1000, $2, now())
			ON CONFLICT (workspace_id) DO UPDATE SET when_exceeded = excluded.when_exceeded`, f.Ours, instead)
	}
	set(api.ModelBudgetExceededHANDOFF)
	reason, cost, _ := ask(api.AgentRunOutcomeHANDEDOFF)
	require.Equal(t, string(api.AgentRunReasonBudgetExceeded), *reason)
	require.Zero(t, *cost)
	set(api.ModelBudgetExceededBUILTIN)
	_, cost, provider = ask(api.AgentRunOutcomeANSWERED)
	require.Zero(t, *cost)
	require.Equal(t, "builtin", provider)
	require.Len(t, f.models.Requests(), 1)
}
