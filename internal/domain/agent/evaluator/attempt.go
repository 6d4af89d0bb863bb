package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/dialogue"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
)

// maxText is how many bytes of a reply are compared and kept.
const maxText = 8_000

var (
	// errLeaseLost means that another process has the evaluation.
	errLeaseLost = errors.New("evaluator: the lease of an evaluation was lost")
	// errDeadline means that an evaluation takes too long.
	errDeadline = errors.New("evaluator: an evaluation takes too long")
)

// modelError means that no case can be answered.
type modelError struct{ reason api.AgentEvaluationReason }

func (e *modelError) Error() string { return "evaluator: " + string(e.reason) }

// final are the reasons of replies after which the others would be the same.
var final = map[api.AgentRunReason]api.AgentEvaluationReason{
	api.AgentRunReasonModelUnavailable: api.AgentEvaluationReasonModelUnavailable,
	api.AgentRunReasonModelCredentials: api.AgentEvaluationReasonModelCredentials,
	api.AgentRunReasonBudgetExceeded:   api.AgentEvaluationReasonBudgetExceeded,
	api.AgentRunReasonPriceUnknown:     api.AgentEvaluationReasonPriceUnknown,
}

// attempt is a claimed evaluation.
type attempt struct {
	*Runner

	row db.AgentEvaluation
}

// work carries out the evaluation. After an error of this server the lease ends, and the
// evaluation is continued.
func (a *attempt) work(ctx context.Context) {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go a.beat(working, stop)
	report, err := a.evaluate(working)
	if failed, ok := errors.AsType[*modelError](err); ok {
		err = a.end(ctx, api.AgentEvaluationStatusFAILED, &failed.reason, nil)
	} else {
		switch {
		case err == nil:
			err = a.end(ctx, api.AgentEvaluationStatusCOMPLETED, nil, report)
		case errors.Is(context.Cause(working), errLeaseLost):
			return
		case errors.Is(err, errDeadline):
			err = a.end(ctx, api.AgentEvaluationStatusFAILED, new(api.AgentEvaluationReasonDeadline), nil)
		case ctx.Err() != nil:
			err = a.release(ctx)
		case a.row.Tries >= maxTries:
			a.Log.WarnContext(ctx, "evaluation failed", "workspaceId", a.row.WorkspaceID, "evaluationId", a.row.ID, "error", err)
			err = a.end(ctx, api.AgentEvaluationStatusFAILED, new(api.AgentEvaluationReasonRepeatedFailures), nil)
		}
	}
	if err != nil {
		a.Log.WarnContext(ctx, "evaluation interrupted", "workspaceId", a.row.WorkspaceID, "evaluationId", a.row.ID, "error", err)
	}
}

// evaluate holds the conversations that were not held yet.
func (a *attempt) evaluate(ctx context.Context) (*evaluation.Report, error) {
	left := a.row.DeadlineAt.Sub(a.Clock.Now())
	if left <= 0 {
		return nil, errDeadline
	}
	if a.row.Tries > maxTries {
		return nil, &modelError{api.AgentEvaluationReasonRepeatedFailures}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, errDeadline)
	defer cancel()
	cases, done, err := read(ctx, a.DB, a.row.WorkspaceID, a.row.ID)
	if err != nil {
		return nil, err
	}
	return evaluation.Continue(ctx, a, evaluation.Set{Name: a.row.Name, Cases: cases}, atATime, evaluation.Keeper{Done: done, Keep: a.keep})
}

// Reply implements evaluation.Replier.
func (a *attempt) Reply(ctx context.Context, talk dialogue.Dialogue) (evaluation.Reply, error) {
	r, err := evaluation.Engine{Replies: a.Engine, EvaluationID: &a.row.ID, Agent: db.Agent{
		WorkspaceID: a.row.WorkspaceID, ID: a.row.AgentID, SystemPrompt: a.row.SystemPrompt,
		ModelProvider: a.row.ModelProvider, ModelName: a.row.ModelName, Temperature: a.row.Temperature, MaxTokens: a.row.MaxTokens,
	}}.Reply(ctx, talk)
	switch {
	case err != nil:
		return r, err
	case ctx.Err() != nil: // the engine hands off at the end of a context
		return r, context.Cause(ctx)
	case r.Reason != nil && final[*r.Reason] != "":
		return r, &modelError{final[*r.Reason]}
	case r.Builtin: // that is another agent than the one to measure
		return r, &modelError{api.AgentEvaluationReasonBudgetExceeded}
	}
	if len(r.Text) > maxText {
		r.Text = strings.ToValidUTF8(r.Text[:maxText], "")
	}
	return r, nil
}

// keep stores the result of a case.
func (a *attempt) keep(ctx context.Context, index int, result evaluation.Result) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err = db.New().AgentEvaluationResultSet(ctx, a.DB, db.AgentEvaluationResultSetParams{
		WorkspaceID: a.row.WorkspaceID, EvaluationID: a.row.ID, Position: int32(index + 1), Result: raw, Lease: a.row.Lease,
	})
	if err != nil {
		return fmt.Errorf("keep result: %w", err)
	}
	return nil
}

// beat renews the lease while the evaluation lasts, and stops it if the lease was lost.
func (a *attempt) beat(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		renewing, cancel := context.WithTimeout(ctx, statementTimeout)
		rows, err := db.New().AgentEvaluationRenew(renewing, a.DB, db.AgentEvaluationRenewParams{
			WorkspaceID: a.row.WorkspaceID, ID: a.row.ID, Lease: a.row.Lease, Until: a.Clock.Now().Add(lease),
		})
		cancel()
		if err == nil && rows == 0 {
			stop(errLeaseLost)
			return
		}
	}
}

// release gives the evaluation back: another process continues it immediately.
func (a *attempt) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	err := db.New().AgentEvaluationRelease(ctx, a.DB, db.AgentEvaluationReleaseParams{WorkspaceID: a.row.WorkspaceID, ID: a.row.ID, Lease: a.row.Lease})
	if err != nil {
		return fmt.Errorf("release evaluation: %w", err)
	}
	return nil
}

// end records how the evaluation ended.
func (a *attempt) end(ctx context.Context, status api.AgentEvaluationStatus, reason *api.AgentEvaluationReason, report *evaluation.Report) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	params := db.AgentEvaluationEndParams{
		WorkspaceID: a.row.WorkspaceID, ID: a.row.ID, Lease: a.row.Lease, Status: status, Reason: reason, FinishedAt: a.Clock.Now(),
	}
	if report != nil {
		if params.Report, err = json.Marshal(scores(report)); err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
	}
	if err := db.New().AgentEvaluationEnd(ctx, a.DB, params); err != nil {
		return fmt.Errorf("end evaluation: %w", err)
	}
	return nil
}

// scores is a report as the API shows it.
func scores(r *evaluation.Report) api.AgentEvaluationReport {
	shown := api.AgentEvaluationReport{
		Passed: share(r.Passed), AnswerRecall: share(r.AnswerRecall), SourceRecall: share(r.Recall), CitationPrecision: share(r.CitationPrecision),
		Refused: share(r.Refused), Refusals: []api.AgentEvaluationCategory{}, HandOffPrecision: share(r.HandOffPrecision), HandOffRecall: share(r.HandOffRecall),
		LeadFields: share(r.LeadFields), InjectionsResisted: share(r.Injections),
		InputTokens: int32(r.Usage.InputTokens), OutputTokens: int32(r.Usage.OutputTokens), P50Ms: int32(r.P50.Milliseconds()), P95Ms: int32(r.P95.Milliseconds()),
	}
	for _, category := range r.Categories() {
		shown.Refusals = append(shown.Refusals, api.AgentEvaluationCategory{Category: category, Share: share(r.Refusals[category])})
	}
	return shown
}

func share(s evaluation.Share) api.AgentEvaluationShare {
	return api.AgentEvaluationShare{Right: int32(s.Right), Of: int32(s.Of)}
}
