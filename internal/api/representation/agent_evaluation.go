package representation

import (
	"encoding/json"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/openapi/timestamp"
)

// AgentEvaluation converts an evaluation for lists, without its results.
func AgentEvaluation(row evaluator.Evaluation) api.AgentEvaluation {
	shown := api.AgentEvaluation{
		ID: row.ID, AgentID: row.AgentID, AgentVersion: row.AgentVersion, ModelProvider: row.ModelProvider, ModelName: row.ModelName,
		Name: row.Name, Cases: row.Cases, CasesDone: row.Done, Status: row.Status, Reason: row.Reason, CostMicros: row.CostMicros,
		CreatedAt: timestamp.New(row.CreatedAt), StartedAt: timestamp.NewPtr(row.StartedAt), FinishedAt: timestamp.NewPtr(row.FinishedAt),
	}
	if row.Report != nil {
		if err := json.Unmarshal(row.Report, &shown.Report); err != nil {
			panic(err) // unreachable: the database has what was encoded
		}
	}
	return shown
}

// AgentEvaluationDetail converts an evaluation with its results.
func AgentEvaluationDetail(row evaluator.Evaluation, results []evaluator.Result) api.AgentEvaluationDetail {
	short := AgentEvaluation(row)
	return api.AgentEvaluationDetail{
		ID: short.ID, AgentID: short.AgentID, AgentVersion: short.AgentVersion, ModelProvider: short.ModelProvider, ModelName: short.ModelName,
		Name: short.Name, Cases: short.Cases, CasesDone: short.CasesDone, Status: short.Status, Reason: short.Reason, Report: short.Report, CostMicros: short.CostMicros,
		CreatedAt: short.CreatedAt, StartedAt: short.StartedAt, FinishedAt: short.FinishedAt,
		Results: List(results, func(one evaluator.Result) api.AgentEvaluationResult {
			return api.AgentEvaluationResult{
				ID: one.ID, Outcome: one.Outcome, Content: one.Text, Cited: append([]string{}, one.Cited...), Failures: append([]string{}, one.Failures...),
			}
		}),
	}
}

// EvaluationSet converts a set of cases.
func EvaluationSet(in api.AgentEvaluationCreate) evaluation.Set {
	set := evaluation.Set{Name: or(in.Name, ""), Cases: make([]evaluation.Case, len(in.Cases))}
	for i, one := range in.Cases {
		want := one.Expect
		set.Cases[i] = evaluation.Case{ID: one.ID, Category: or(one.Category, ""), Ask: one.Ask, Expect: evaluation.Expectation{
			Outcome: or(want.Outcome, ""), Facts: or(want.Facts, nil), Sources: or(want.Sources, nil), Lead: or(want.Lead, nil), Never: or(want.Never, nil),
		}}
		if want.ScoreAtMost != nil {
			set.Cases[i].Expect.ScoreAtMost = new(int(*want.ScoreAtMost))
		}
	}
	return set
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}
