package spending_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/testing/seed"
)

// million makes a token cost one millionth of the currency.
const million = 1_000_000

type fixture struct {
	*seed.World

	ledger  *spending.Ledger
	budgets *spending.Service
	agent   db.Agent
}

// setup is a workspace with an agent whose model costs a millionth for each token.
func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{World: seed.New(t)}
	f.ledger = &spending.Ledger{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Log: slog.New(slog.DiscardHandler)}
	f.budgets = &spending.Service{DB: f.DB, Clock: f.Clock}
	f.Exec(t, `INSERT INTO model_providers (workspace_id, provider, prices, created_at, updated_at)
		VALUES ($1, 'openai', '{"m": {"input": 1000000, "output": 1000000}}', now(), now())`, f.Ours)
	f.agent = f.newAgent(t)
	return f
}

func (f *fixture) newAgent(t *testing.T) db.Agent {
	t.Helper()
	return db.Agent{WorkspaceID: f.Ours, ID: f.Agent(t, f.Ours, "A"), ModelProvider: "openai", ModelName: "m"}
}

func (f *fixture) budget(t *testing.T, micros int64) {
	t.Helper()
	_, err := f.budgets.Update(t.Context(), f.DB, f.Ours, spending.Change{
		Micros: func() *int64 { return &micros }, WhenExceeded: new(api.ModelBudgetExceededBUILTIN),
	})
	require.NoError(t, err)
}

// request can use 100 tokens at most.
func request() model.Request {
	r := model.Request{Messages: []model.Message{{Role: model.User, Content: "Hello"}}}
	r.MaxTokens = 100 - spending.Most(r).InputTokens
	return r
}

const most = 100

func (f *fixture) chat(ctx context.Context, agent db.Agent, reply scripted.Reply) error {
	_, err := f.ledger.Chat(ctx, spending.Caller{WorkspaceID: f.Ours, Agent: agent}, scripted.New(reply), request())
	return err
}

// uses replies with a usage.
func uses(input, output int) scripted.Reply {
	return func(context.Context, model.Request) (model.Response, error) {
		return model.Response{Content: "Hi", Usage: model.Usage{InputTokens: input, OutputTokens: output}}, nil
	}
}

func fails(err error) scripted.Reply {
	return func(context.Context, model.Request) (model.Response, error) { return model.Response{}, err }
}

func (f *fixture) spent(t *testing.T) int64 {
	t.Helper()
	found, err := f.budgets.Get(t.Context(), f.DB, f.Ours)
	require.NoError(t, err)
	return found.Spent
}

// TestConcurrentCallsStayWithinTheBudget makes 20 concurrent calls with a budget for 5 of them.
func TestConcurrentCallsStayWithinTheBudget(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.budget(t, 5*most+most/2)
	const calls = 20
	refused, release := make(chan error, calls), make(chan struct{})
	var running sync.WaitGroup
	for range calls {
		agent := f.newAgent(t)
		running.Go(func() {
			err := f.chat(context.Background(), agent, func(context.Context, model.Request) (model.Response, error) {
				<-release
				return model.Response{Usage: model.Usage{InputTokens: 3, OutputTokens: 4}}, nil
			})
			if err != nil {
				refused <- err
			}
		})
	}
	for range calls - 5 {
		require.Equal(t, &spending.RefusedError{Instead: api.ModelBudgetExceededBUILTIN}, <-refused)
	}
	require.Equal(t, int64(5*most), f.spent(t), "reserved for the calls in progress")
	close(release)
	running.Wait()
	require.Empty(t, refused)
	require.Equal(t, int64(5*7), f.spent(t), "settled")
	require.Equal(t, 5, f.Count(t, "SELECT count(*) FROM model_calls WHERE outcome = 'ok' AND cost_micros = 7 AND input_tokens = 3 AND output_tokens = 4"))
	require.Equal(t, 5, f.Count(t, "SELECT count(*) FROM model_calls"), "refused calls are not in the ledger")
}

func TestAnAgentHasABudgetOfItsOwn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	agent, other := f.agent, f.newAgent(t)
	agent.MonthlyBudgetMicros = new(int64(most))
	require.NoError(t, f.chat(t.Context(), agent, uses(1, 0)))
	require.Equal(t, &spending.RefusedError{Instead: api.ModelBudgetExceededHANDOFF}, f.chat(t.Context(), agent, uses(1, 0)))
	require.NoError(t, f.chat(t.Context(), other, uses(1, 0)))
	require.Equal(t, int64(2), f.spent(t), "what the agent could not use is not reserved for the workspace")
	f.Clock.Advance(31 * 24 * time.Hour)
	require.NoError(t, f.chat(t.Context(), agent, uses(1, 0)), "in the next month")
	require.Equal(t, int64(1), f.spent(t))
}

// TestCostsFollowTheOutcome covers calls that a provider charges, and those it does not.
func TestCostsFollowTheOutcome(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for outcome, one := range map[string]struct {
		reply scripted.Reply
		cost  int
	}{
		"ok":           {uses(10, 20), 30},
		"credentials":  {fails(&model.Error{Kind: model.Credentials, Status: 401}), 0},
		"overloaded":   {fails(&model.Error{Kind: model.Overloaded, Status: 529}), 0},
		"unreachable":  {fails(&model.Error{Kind: model.Unreachable}), 0},
		"timeout":      {fails(&model.Error{Kind: model.TimedOut}), most},
		"invalid":      {fails(&model.Error{Kind: model.Invalid}), most},
		"failed":       {fails(context.Canceled), most},
		"rate_limited": {fails(&model.Error{Kind: model.RateLimited, Status: 429}), 0},
	} {
		before := f.spent(t)
		_ = f.chat(t.Context(), f.agent, one.reply) // see its row
		require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM model_calls WHERE outcome = $1 AND cost_micros = $2 AND latency_ms IS NOT NULL", outcome, one.cost), outcome)
		require.Equal(t, before+int64(one.cost), f.spent(t), outcome)
	}
	before := f.spent(t)
	require.NoError(t, f.chat(t.Context(), f.agent, uses(0, 0)))
	require.Equal(t, before+most, f.spent(t), "a server that reports no usage")
}

// TestACallThatIsCutShortStaysSpent ends the context of a call, as a server does that stops.
func TestACallThatIsCutShortStaysSpent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := f.chat(ctx, f.agent, func(context.Context, model.Request) (model.Response, error) {
		require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM model_calls WHERE outcome IS NULL AND cost_micros = $1", most))
		cancel()
		return model.Response{}, &model.Error{Kind: model.TimedOut}
	})
	require.Error(t, err)
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM model_calls WHERE outcome = 'timeout' AND cost_micros = $1", most))
	require.Equal(t, int64(most), f.spent(t))
}

// TestTheReservationOfADeadProcessEnds leaves calls unsettled, as a process does that dies.
func TestTheReservationOfADeadProcessEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.budget(t, most)
	require.NoError(t, f.chat(t.Context(), f.agent, uses(10, 10)))
	f.budget(t, most+20)
	require.Error(t, f.chat(t.Context(), f.agent, fails(context.Canceled)))
	f.Exec(t, "UPDATE model_calls SET outcome = NULL, latency_ms = NULL WHERE outcome = 'failed'")
	require.Equal(t, int64(most+20), f.spent(t))
	f.Clock.Advance(spending.LostAfter - time.Second)
	require.NoError(t, f.ledger.ReleaseLost(t.Context()))
	require.Error(t, f.chat(t.Context(), f.agent, uses(1, 1)), "the call may still be in progress")
	f.Clock.Advance(2 * time.Second)
	for range 2 {
		require.NoError(t, f.ledger.ReleaseLost(t.Context()))
		require.Equal(t, int64(20), f.spent(t))
	}
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM model_calls WHERE outcome = 'lost' AND cost_micros IS NULL AND latency_ms IS NULL"))
	require.Equal(t, 20, f.Count(t, "SELECT micros FROM model_spending WHERE agent_id = $1", f.agent.ID))
	require.NoError(t, f.chat(t.Context(), f.agent, uses(1, 1)))
}

func TestModelsWithoutAPriceAreNotCalledWithABudget(t *testing.T) {
	t.Parallel()
	f := setup(t)
	unknown, own := f.agent, f.agent
	unknown.ModelName = "other"
	require.NoError(t, f.chat(t.Context(), unknown, uses(1, 1)))
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM model_calls WHERE cost_micros IS NULL AND input_tokens = 1"))
	require.Zero(t, f.spent(t))
	own.ModelProvider, own.MonthlyBudgetMicros = "scripted", new(int64(most))
	require.Equal(t, &spending.RefusedError{Unpriced: true, Instead: api.ModelBudgetExceededHANDOFF}, f.chat(t.Context(), own, uses(1, 1)))
	f.budget(t, most)
	require.Equal(t, &spending.RefusedError{Unpriced: true, Instead: api.ModelBudgetExceededBUILTIN}, f.chat(t.Context(), unknown, uses(1, 1)))
	require.NoError(t, f.chat(t.Context(), f.agent, uses(1, 1)))
	require.Equal(t, 0, f.Count(t, "SELECT count(*) FROM model_spending WHERE workspace_id = $1", f.Theirs))
}

func TestCostsAreRoundedUpAndDoNotOverflow(t *testing.T) {
	t.Parallel()
	price := spending.Price{Input: 150_000, Output: 600_000} // of gpt-4o-mini, in dollars
	require.Equal(t, int64(1), price.Cost(model.Usage{InputTokens: 1}))
	require.Equal(t, int64(150+60), price.Cost(model.Usage{InputTokens: 1000, OutputTokens: 100}))
	dear := spending.Price{Input: million * million, Output: million * million}
	require.Equal(t, int64(2*10*million*million), dear.Cost(model.Usage{InputTokens: 10 * million, OutputTokens: 10 * million}))
	require.Zero(t, spending.Price{}.Cost(model.Usage{InputTokens: 5}))
	require.Equal(t, time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), spending.Month(time.Date(2026, 5, 1, 1, 0, 0, 0, time.FixedZone("CEST", 7200))))
}
