// Package evaluator runs evaluations of agents as jobs. An evaluation is a row with a lease, and
// the result of each case is kept: a process that dies in between is continued by another one. A
// workspace has one evaluation in progress, so that it leaves the others their turn.
package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/evaluation"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

const (
	// MaxOpen is how many evaluations of a workspace wait or run.
	MaxOpen = 50
	// Kept is how many that have ended are kept, for KeptFor.
	Kept = 50
	// KeptFor is how long an evaluation is kept after its end.
	KeptFor = 90 * 24 * time.Hour
)

// ErrTooMany means that a workspace has MaxOpen evaluations that have not ended.
var ErrTooMany = errors.New("evaluator: too many evaluations")

// Service creates and reads evaluations.
type Service struct {
	DB    *postgres.DB
	IDs   *id.Generator
	Clock clock.Clock
	Pages *page.Codec
	Bell  *wake.Bell
}

// Evaluation is an evaluation of an agent, with how many cases it has and has held.
type Evaluation struct {
	db.AgentEvaluation

	Cases, Done int32
}

// Result is how a case went.
type Result struct {
	evaluation.Result

	ID string
}

// Create queues an evaluation of a version of an agent, or of its draft if version is nil. It
// fails with postgres.ErrNotFound, *agent.UnknownVersionError or ErrTooMany.
func (s *Service) Create(ctx context.Context, on postgres.Conn, workspaceID, agentID uuid.UUID, version *int32, set evaluation.Set) (created Evaluation, err error) {
	cases, err := json.Marshal(set.Cases)
	if err != nil {
		return created, fmt.Errorf("encode cases: %w", err)
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if err := s.makeRoom(ctx, tx, workspaceID); err != nil {
			return err
		}
		of, err := subject(ctx, tx, workspaceID, agentID, version)
		if err != nil {
			return err
		}
		evaluationID, now := s.IDs.New()
		created.AgentEvaluation, err = db.New().AgentEvaluationCreate(ctx, tx, db.AgentEvaluationCreateParams{
			WorkspaceID: workspaceID, ID: evaluationID, AgentID: agentID, AgentVersion: version, SystemPrompt: of.SystemPrompt,
			ModelProvider: of.ModelProvider, ModelName: of.ModelName, Temperature: of.Temperature, MaxTokens: of.MaxTokens, Name: set.Name, CreatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("create evaluation: %w", err)
		}
		err = db.New().AgentEvaluationCasesAdd(ctx, tx, db.AgentEvaluationCasesAddParams{WorkspaceID: workspaceID, EvaluationID: evaluationID, Cases: cases})
		if err != nil {
			return fmt.Errorf("add cases: %w", err)
		}
		created.Cases = int32(len(set.Cases))
		s.Bell.Ring(tx, wake.Evaluations)
		return nil
	})
	return created, err
}

// makeRoom bounds the evaluations of a workspace.
func (s *Service) makeRoom(ctx context.Context, tx postgres.Tx, workspaceID uuid.UUID) error {
	q := db.New()
	if err := q.WorkspaceLock(ctx, tx, db.WorkspaceLockParams{WorkspaceID: workspaceID}); err != nil {
		return fmt.Errorf("lock workspace: %w", err)
	}
	open, err := q.AgentEvaluationCountOpen(ctx, tx, db.AgentEvaluationCountOpenParams{WorkspaceID: workspaceID})
	if err != nil {
		return fmt.Errorf("count evaluations: %w", err)
	}
	if open >= MaxOpen {
		return ErrTooMany
	}
	if err := q.AgentEvaluationDeleteExcess(ctx, tx, db.AgentEvaluationDeleteExcessParams{WorkspaceID: workspaceID, Kept: Kept}); err != nil {
		return fmt.Errorf("delete old evaluations: %w", err)
	}
	return nil
}

// subject returns the agent in the version to evaluate.
func subject(ctx context.Context, tx postgres.Tx, workspaceID, agentID uuid.UUID, version *int32) (db.Agent, error) {
	row, err := db.New().AgentGet(ctx, tx, db.AgentGetParams{WorkspaceID: workspaceID, ID: agentID})
	if err != nil || version == nil {
		return row, postgres.Found("get agent", err)
	}
	found, err := db.New().AgentVersionGet(ctx, tx, db.AgentVersionGetParams{WorkspaceID: workspaceID, AgentID: agentID, Number: *version})
	if postgres.IsNotFound(err) {
		return row, &agent.UnknownVersionError{Number: *version}
	} else if err != nil {
		return row, fmt.Errorf("get version: %w", err)
	}
	return agent.At(row, found), nil
}

// Get returns an evaluation of an agent and the results so far, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, agentID, evaluationID uuid.UUID) (Evaluation, []Result, error) {
	row, err := db.New().AgentEvaluationGet(ctx, s.DB, db.AgentEvaluationGetParams{WorkspaceID: workspaceID, AgentID: agentID, ID: evaluationID})
	if err != nil {
		return Evaluation{}, nil, postgres.Found("get evaluation", err)
	}
	set, done, err := read(ctx, s.DB, workspaceID, evaluationID)
	if err != nil {
		return Evaluation{}, nil, err
	}
	results := []Result{}
	for i, one := range set {
		if result, ok := done[i]; ok {
			results = append(results, Result{result, one.ID})
		}
	}
	return Evaluation{row.AgentEvaluation, row.Cases, row.Done}, results, nil
}

// List returns a page of the evaluations of an agent, newest first. It fails with
// postgres.ErrNotFound or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID, agentID uuid.UUID, request page.Request) (page.Page[Evaluation], error) {
	if _, err := db.New().AgentGet(ctx, s.DB, db.AgentGetParams{WorkspaceID: workspaceID, ID: agentID}); err != nil {
		return page.Page[Evaluation]{}, postgres.Found("get agent", err)
	}
	list := page.List{Workspace: workspaceID, Name: "agent evaluations", Filters: []string{agentID.String()}}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) (found []Evaluation, err error) {
		rows, err := db.New().AgentEvaluationList(ctx, s.DB, db.AgentEvaluationListParams{WorkspaceID: workspaceID, AgentID: agentID, BeforeID: before, RowLimit: limit})
		for _, row := range rows {
			found = append(found, Evaluation{row.AgentEvaluation, row.Cases, row.Done})
		}
		return found, err
	}, func(one Evaluation) uuid.UUID { return one.ID })
}

// read returns the cases of an evaluation, and the results of those that were held.
func read(ctx context.Context, on *postgres.DB, workspaceID, evaluationID uuid.UUID) ([]evaluation.Case, map[int]evaluation.Result, error) {
	rows, err := db.New().AgentEvaluationCaseList(ctx, on, db.AgentEvaluationCaseListParams{WorkspaceID: workspaceID, EvaluationID: evaluationID})
	if err != nil {
		return nil, nil, fmt.Errorf("list cases: %w", err)
	}
	cases, done := make([]evaluation.Case, len(rows)), map[int]evaluation.Result{}
	for i, row := range rows {
		if err := json.Unmarshal(row.Definition, &cases[i]); err != nil {
			return nil, nil, fmt.Errorf("stored case: %w", err)
		}
		if row.Result == nil {
			continue
		}
		var result evaluation.Result
		if err := json.Unmarshal(row.Result, &result); err != nil {
			return nil, nil, fmt.Errorf("stored result: %w", err)
		}
		done[i] = result
	}
	return cases, done, nil
}
