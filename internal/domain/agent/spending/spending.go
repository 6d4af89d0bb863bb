// Package spending keeps what agents spend on language models within budgets, and keeps a
// ledger of calls. Before a call, its highest possible cost is reserved; afterwards, the
// reservation is replaced by what it has cost. If the server dies in between, the reservation
// ends by itself.
package spending

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// Kept is how long calls are kept in the ledger. Monthly sums stay.
	Kept = 90 * 24 * time.Hour
	// statementTimeout bounds what is asked of the database.
	statementTimeout = 10 * time.Second
)

// RefusedError means that a call was not made because of a budget.
type RefusedError struct {
	// Unpriced says that the model has no price, so that no budget can be kept.
	Unpriced bool
	// Instead is what the agent does now.
	Instead api.ModelBudgetExceeded
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Unpriced {
		return "spending: the model has no price"
	}
	return "spending: the budget is used up"
}

// Ledger calls models within budgets.
type Ledger struct {
	DB    *postgres.DB
	IDs   *id.Generator
	Clock clock.Clock
	Log   *slog.Logger
}

// Caller is who calls a model. RunID and EvaluationID are nil for previews and checks.
type Caller struct {
	WorkspaceID         uuid.UUID
	Agent               db.Agent
	RunID, EvaluationID *uuid.UUID
}

// call is a call in progress.
type call struct {
	Caller

	id       uuid.UUID
	month    time.Time
	began    time.Time
	price    *Price // nil if the model has none
	reserved int64
}

// Chat calls a model once. It fails with *RefusedError if a budget does not allow it, and then
// does not call it. No connection is held during the call.
func (l *Ledger) Chat(ctx context.Context, of Caller, provider model.Provider, request model.Request) (model.Response, error) {
	c, err := l.reserve(ctx, of, request)
	if err != nil {
		return model.Response{}, err
	}
	response, err := provider.Chat(ctx, request)
	if settling := l.settle(ctx, c, response, err); settling != nil {
		l.Log.WarnContext(ctx, "cost of a model call not settled", "workspaceId", of.WorkspaceID, "callId", c.id, "error", settling)
	}
	return response, err
}

// reserve enters a call with its highest possible cost.
func (l *Ledger) reserve(ctx context.Context, of Caller, request model.Request) (call, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	c := call{Caller: of}
	c.id, c.began = l.IDs.New()
	c.month = Month(c.began)
	err := postgres.WithTx(ctx, l.DB, func(ctx context.Context, tx postgres.Tx) error {
		budget, err := budgetOf(ctx, tx, of.WorkspaceID)
		if err != nil {
			return err
		}
		if c.price, err = priceOf(ctx, tx, of.WorkspaceID, of.Agent); err != nil {
			return err
		}
		if c.price != nil {
			c.reserved = c.price.Cost(Most(request))
			if err := c.withinBudgets(ctx, tx, budget); err != nil {
				return err
			}
		} else if budget.MonthlyMicros != nil || of.Agent.MonthlyBudgetMicros != nil {
			return &RefusedError{Unpriced: true, Instead: budget.WhenExceeded}
		}
		return c.enter(ctx, tx)
	})
	return c, err
}

// withinBudgets reserves the cost of a call for the workspace and for the agent.
func (c call) withinBudgets(ctx context.Context, tx postgres.Tx, budget db.ModelBudget) error {
	for _, one := range []struct {
		agent uuid.UUID
		most  *int64
	}{{uuid.Nil, budget.MonthlyMicros}, {c.Agent.ID, c.Agent.MonthlyBudgetMicros}} {
		rows, err := db.New().ModelSpendingReserve(ctx, tx, db.ModelSpendingReserveParams{
			WorkspaceID: c.WorkspaceID, AgentID: one.agent, Month: c.month, Micros: c.reserved, Most: one.most,
		})
		if err != nil {
			return fmt.Errorf("reserve spending: %w", err)
		}
		if rows == 0 {
			return &RefusedError{Instead: budget.WhenExceeded}
		}
	}
	return nil
}

func (c call) enter(ctx context.Context, tx postgres.Tx) error {
	params := db.ModelCallCreateParams{
		WorkspaceID: c.WorkspaceID, ID: c.id, AgentID: c.Agent.ID, RunID: c.RunID, EvaluationID: c.EvaluationID, Provider: c.Agent.ModelProvider, Model: c.Agent.ModelName, CreatedAt: c.began,
	}
	if c.price != nil {
		params.CostMicros = &c.reserved
	}
	if err := db.New().ModelCallCreate(ctx, tx, params); err != nil {
		return fmt.Errorf("enter model call: %w", err)
	}
	return nil
}

// settle records how a call ended, also if ctx has ended.
func (l *Ledger) settle(ctx context.Context, c call, response model.Response, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	return l.record(ctx, c, db.ModelCallSettleParams{
		InputTokens: int32(response.Usage.InputTokens), OutputTokens: int32(response.Usage.OutputTokens),
		CostMicros: c.cost(response.Usage, failure), LatencyMs: new(int32(l.Clock.Now().Sub(c.began).Milliseconds())), Outcome: outcome(failure),
	})
}

// record ends a call in the ledger, and replaces its reservation by its cost. It does nothing if
// the call has ended before.
func (l *Ledger) record(ctx context.Context, c call, end db.ModelCallSettleParams) error {
	end.WorkspaceID, end.ID = c.WorkspaceID, c.id
	correction := -c.reserved
	if end.CostMicros != nil {
		correction += *end.CostMicros
	}
	return postgres.WithTx(ctx, l.DB, func(ctx context.Context, tx postgres.Tx) error {
		rows, err := db.New().ModelCallSettle(ctx, tx, end)
		if err != nil {
			return fmt.Errorf("settle model call: %w", err)
		}
		if rows == 0 || correction == 0 {
			return nil
		}
		for _, agent := range []uuid.UUID{uuid.Nil, c.Agent.ID} {
			if err := db.New().ModelSpendingAdjust(ctx, tx, db.ModelSpendingAdjustParams{
				WorkspaceID: c.WorkspaceID, AgentID: agent, Month: c.month, Micros: correction,
			}); err != nil {
				return fmt.Errorf("adjust spending: %w", err)
			}
		}
		return nil
	})
}

// cost is what a call has cost; nil if the model has no price. If it is not known what the
// provider charges, it is what was reserved.
func (c call) cost(used model.Usage, failure error) *int64 {
	switch {
	case c.price == nil:
		return nil
	case used != model.Usage{}:
		return new(c.price.Cost(used))
	case isFree(failure):
		return new(int64(0))
	}
	return &c.reserved
}
