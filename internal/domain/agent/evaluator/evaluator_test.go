package evaluator_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/scripted"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/internal/domain/agent/tools"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/seed"
)

type fixture struct {
	*seed.World

	service *evaluator.Service
	models  *scripted.Provider
	agent   uuid.UUID
}

func setup(t *testing.T) *fixture {
	t.Helper()
	w := seed.New(t)
	w.Clock.Advance(123_456 * time.Nanosecond) // the database stores milliseconds
	f := &fixture{World: w, models: scripted.New(scripted.Says("We deliver to Norway. [1]"))}
	f.service = &evaluator.Service{DB: w.DB, IDs: w.IDs, Clock: w.Clock, Pages: w.Pages}
	f.agent = f.newAgent(t, f.Ours)
	return f
}

func (f *fixture) newAgent(t *testing.T, space uuid.UUID) uuid.UUID {
	t.Helper()
	agent := f.Agent(t, space, "Concierge")
	f.Exec(t, "UPDATE agents SET model_provider = $1 WHERE id = $2", scripted.Name, agent)
	return agent
}

// run runs an evaluator, as another process, until the end of the test or until stop is called.
func (f *fixture) run(t *testing.T) (stop func()) {
	t.Helper()
	found := []tools.Passage{{ID: uuid.New(), SourceID: uuid.New(), Title: "Delivery", Document: "delivery.md", Text: "We deliver to Norway."}}
	log := slog.New(slog.DiscardHandler)
	r := &evaluator.Runner{
		DB: f.DB, Clock: f.Clock, Log: log, Poll: 10 * time.Millisecond,
		Engine: &reply.Engine{
			Ledger: &spending.Ledger{DB: f.DB, IDs: f.IDs, Clock: f.Clock, Log: log},
			Models: model.Registry{scripted.Name: f.models, "openai": f.models},
			Search: func(context.Context, uuid.UUID, string) ([]tools.Passage, error) { return found, nil },
		},
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

// set returns cases that are as expected, except the last one.
func set(n int) evaluation.Set {
	s := evaluation.Set{Name: "norway"}
	for i := range n {
		s.Cases = append(s.Cases, evaluation.Case{ID: strconv.Itoa(i), Ask: []string{"Do you deliver to Norway?"}, Expect: evaluation.Expectation{
			Outcome: api.AgentRunOutcomeANSWERED, Facts: []string{"to norway"}, Sources: []string{"delivery.md"},
		}})
	}
	s.Cases[n-1].Expect.Facts = []string{"6 days"}
	return s
}

func (f *fixture) create(t *testing.T, space, agent uuid.UUID, of evaluation.Set) evaluator.Evaluation {
	t.Helper()
	created, err := f.service.Create(t.Context(), f.DB, space, agent, nil, of)
	require.NoError(t, err)
	return created
}

func (f *fixture) ended(t *testing.T, space, agent, id uuid.UUID) (ended evaluator.Evaluation, results []evaluator.Result) {
	t.Helper()
	f.eventually(t, func() bool {
		var err error
		ended, results, err = f.service.Get(t.Context(), space, agent, id)
		return err == nil && ended.FinishedAt != nil
	})
	return ended, results
}

// eventually waits for a condition. On a slow machine a statement may take too long, after which
// an evaluation is continued once its lease has ended: for that, the clock moves if nothing else
// does.
func (f *fixture) eventually(t *testing.T, condition func() bool) {
	t.Helper()
	const patience = 30 * time.Second
	began := time.Now()
	require.Eventually(t, func() bool {
		if time.Since(began) > patience {
			began = time.Now()
			f.Clock.Advance(16 * time.Second)
		}
		return condition()
	}, 3*time.Minute, 10*time.Millisecond)
}

func TestEvaluationsScoreAnAgent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	created := f.create(t, f.Ours, f.agent, set(3))
	require.Equal(t, api.AgentEvaluationStatusQUEUED, created.Status)
	f.Exec(t, "UPDATE agents SET model_provider = 'changed meanwhile'")
	f.run(t)
	ended, results := f.ended(t, f.Ours, f.agent, created.ID)
	require.Equal(t, api.AgentEvaluationStatusCOMPLETED, ended.Status)
	require.Equal(t, int32(3), ended.Cases)
	require.Equal(t, int32(3), ended.Done)
	var report api.AgentEvaluationReport
	require.NoError(t, json.Unmarshal(ended.Report, &report))
	require.Equal(t, api.AgentEvaluationShare{Right: 2, Of: 3}, report.Passed)
	require.Equal(t, api.AgentEvaluationShare{Right: 3, Of: 3}, report.CitationPrecision)
	require.Equal(t, api.AgentEvaluationShare{}, report.Refused)
	require.Len(t, results, 3)
	require.Empty(t, results[0].Failures)
	require.Equal(t, []string{`the reply does not say "6 days"`}, results[2].Failures)
	for _, of := range []uuid.UUID{f.Theirs, uuid.New()} {
		_, _, err := f.service.Get(t.Context(), of, f.agent, created.ID)
		require.ErrorIs(t, err, postgres.ErrNotFound)
	}
	f.Exec(t, "DELETE FROM agent_evaluations")
	require.Zero(t, f.Count(t, "SELECT count(*) FROM agent_evaluation_cases"))
}

// price lets a token that the agent's model reads cost a millionth, and one that it writes two.
func (f *fixture) price(t *testing.T) {
	t.Helper()
	f.Exec(t, "UPDATE agents SET model_provider = 'openai', model_name = 'm' WHERE id = $1", f.agent)
	f.Exec(t, `INSERT INTO model_providers (workspace_id, provider, prices, created_at, updated_at)
		VALUES ($1, 'openai', '{"m": {"input": 1000000, "output": 2000000}}', now(), now())`, f.Ours)
}

// TestEvaluationsCostWhatTheLedgerSays evaluates a model with a price, of which a call was
// interrupted before, and one without a price.
func TestEvaluationsCostWhatTheLedgerSays(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.models.Script(func(context.Context, model.Request) (model.Response, error) {
		return model.Response{Content: "We deliver to Norway. [1]", Usage: model.Usage{InputTokens: 100, OutputTokens: 7}}, nil
	})
	f.price(t)
	priced := f.create(t, f.Ours, f.agent, set(2))
	f.Exec(t, `INSERT INTO model_calls (workspace_id, id, agent_id, evaluation_id, provider, model, cost_micros, outcome, created_at)
		SELECT $1, gen_random_uuid(), $2, $3, 'scripted', 'm', 1000, outcome, now() FROM unnest('{TIMED_OUT,lost}'::text[]) AS outcome`, f.Ours, f.agent, priced.ID)
	f.run(t)
	ended, _ := f.ended(t, f.Ours, f.agent, priced.ID)
	require.Equal(t, int64(1000+2*(100+2*7)), *ended.CostMicros)
	require.Equal(t, 2, f.Count(t, "SELECT count(*) FROM model_calls WHERE evaluation_id = $1 AND input_tokens = 100", priced.ID))

	theirs := f.newAgent(t, f.Theirs)
	free, _ := f.ended(t, f.Theirs, theirs, f.create(t, f.Theirs, theirs, set(1)).ID)
	require.Nil(t, free.CostMicros, "its model has no price")
}

// TestBudgetsBoundEvaluations has a budget for one reply.
func TestBudgetsBoundEvaluations(t *testing.T) {
	t.Parallel()
	for _, instead := range []api.ModelBudgetExceeded{api.ModelBudgetExceededHANDOFF, api.ModelBudgetExceededBUILTIN} {
		t.Run(string(instead), func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.price(t)
			_, err := (&spending.Service{DB: f.DB, Clock: f.Clock}).Update(t.Context(), f.DB, f.Ours, spending.Change{
				Micros: func() *int64 { return new(int64(1)) }, WhenExceeded: &instead,
			})
			require.NoError(t, err)
			f.run(t)
			ended, _ := f.ended(t, f.Ours, f.agent, f.create(t, f.Ours, f.agent, set(2)).ID)
			require.Equal(t, api.AgentEvaluationReasonBudgetExceeded, *ended.Reason, "builtin is not what is measured")
			require.Zero(t, *ended.CostMicros)
			require.Empty(t, f.models.Requests())
		})
	}
}

// TestOthersContinueAnEvaluation stops an evaluator after some cases. The next one holds only
// the others.
func TestOthersContinueAnEvaluation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	created := f.create(t, f.Ours, f.agent, set(6))
	f.Exec(t, "UPDATE agent_evaluation_cases SET result = $1 WHERE position <= 4", `{"Outcome":"ANSWERED","Text":"Kept.","Failures":["kept"]}`)
	f.models.Script(func(ctx context.Context, _ model.Request) (model.Response, error) {
		<-ctx.Done()
		return model.Response{}, ctx.Err()
	})
	stop := f.run(t)
	f.eventually(t, func() bool { return len(f.models.Requests()) == 2 })
	stop()
	require.Equal(t, 1, f.Count(t, "SELECT count(*) FROM agent_evaluations WHERE lease IS NULL AND finished_at IS NULL AND tries = 0"))
	f.models.Script(scripted.Says("We deliver to Norway. [1]"))
	f.run(t)
	ended, results := f.ended(t, f.Ours, f.agent, created.ID)
	require.Equal(t, api.AgentEvaluationStatusCOMPLETED, ended.Status)
	require.Equal(t, "Kept.", results[0].Text)
	require.Len(t, results, 6)
	require.Len(t, f.models.Requests(), 4, "two were interrupted, and no other was repeated")
}

func TestEvaluationsFail(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		prepare func(t *testing.T, f *fixture)
		want    api.AgentEvaluationReason
	}{
		"without a provider": {func(t *testing.T, f *fixture) {
			t.Helper()
			f.Exec(t, "UPDATE agent_evaluations SET model_provider = 'anthropic'")
		}, api.AgentEvaluationReasonModelUnavailable},
		"with a wrong key": {func(_ *testing.T, f *fixture) {
			f.models.Script(func(context.Context, model.Request) (model.Response, error) {
				return model.Response{}, &model.Error{Kind: model.Credentials}
			})
		}, api.AgentEvaluationReasonModelCredentials},
		"after their deadline": {func(t *testing.T, f *fixture) {
			t.Helper()
			f.Exec(t, "UPDATE agent_evaluations SET deadline_at = $1", f.Clock.Now())
		}, api.AgentEvaluationReasonDeadline},
		"after crashes": {func(t *testing.T, f *fixture) {
			t.Helper()
			f.Exec(t, "UPDATE agent_evaluations SET tries = 3")
		}, api.AgentEvaluationReasonRepeatedFailures},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			created := f.create(t, f.Ours, f.agent, set(5))
			one.prepare(t, f)
			f.run(t)
			ended, _ := f.ended(t, f.Ours, f.agent, created.ID)
			require.Equal(t, api.AgentEvaluationStatusFAILED, ended.Status)
			require.Equal(t, one.want, *ended.Reason)
			require.Nil(t, ended.Report)
		})
	}
}

// TestWorkspacesTakeTurns queues many evaluations in one workspace before the only one of
// another: each has one in progress.
func TestWorkspacesTakeTurns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	theirs := f.newAgent(t, f.Theirs)
	for range 4 {
		f.create(t, f.Ours, f.agent, set(1))
	}
	other := f.create(t, f.Theirs, theirs, set(1))
	var most atomic.Int64
	f.models.Script(func(context.Context, model.Request) (model.Response, error) {
		most.Store(max(most.Load(), int64(f.Count(t, "SELECT count(*) FROM agent_evaluations WHERE workspace_id = $1 AND status = 'RUNNING'", f.Ours))))
		return model.Response{Content: "We deliver to Norway. [1]"}, nil
	})
	f.run(t)
	f.run(t)
	f.ended(t, f.Theirs, theirs, other.ID)
	f.eventually(t, func() bool {
		return f.Count(t, "SELECT count(*) FROM agent_evaluations WHERE status = 'COMPLETED'") == 5
	})
	require.LessOrEqual(t, most.Load(), int64(1))
}

func TestEvaluationsAreBounded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.service.Create(t.Context(), f.DB, f.Ours, f.agent, new(int32(1)), set(1))
	require.ErrorContains(t, err, "no version 1")
	_, err = f.service.Create(t.Context(), f.DB, f.Theirs, f.agent, nil, set(1))
	require.ErrorIs(t, err, postgres.ErrNotFound)
	f.create(t, f.Ours, f.agent, set(1))
	f.Exec(t, `INSERT INTO agent_evaluations (workspace_id, id, agent_id, system_prompt, model_provider, model_name, temperature, max_tokens, name, created_at)
		SELECT workspace_id, gen_random_uuid(), agent_id, system_prompt, model_provider, model_name, temperature, max_tokens, name, created_at
		FROM agent_evaluations, generate_series(2, $1)`, evaluator.MaxOpen)
	_, err = f.service.Create(t.Context(), f.DB, f.Ours, f.agent, nil, set(1))
	require.ErrorIs(t, err, evaluator.ErrTooMany)
	f.create(t, f.Theirs, f.newAgent(t, f.Theirs), set(1)) // it has evaluations of its own
	f.Exec(t, "UPDATE agent_evaluations SET finished_at = created_at WHERE workspace_id = $1", f.Ours)
	for range 2 {
		f.create(t, f.Ours, f.agent, set(1))
		f.Exec(t, "UPDATE agent_evaluations SET finished_at = created_at WHERE workspace_id = $1", f.Ours)
	}
	require.Equal(t, evaluator.Kept+1, f.Count(t, "SELECT count(*) FROM agent_evaluations WHERE workspace_id = $1", f.Ours))
}
