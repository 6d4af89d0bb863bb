package spending

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// defaultCurrency is that of workspaces that have set none.
	defaultCurrency = "USD"
	// badRequest is the lowest status of an error.
	badRequest = 400
)

// Month returns the month of a time, in UTC.
func Month(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// Service reads and changes the budgets of workspaces.
type Service struct {
	DB    *postgres.DB
	Clock clock.Clock
}

// Budget is the budget of a workspace with what was spent in the present month.
type Budget struct {
	db.ModelBudget

	Month time.Time
	Spent int64
}

// Get returns the budget of a workspace.
func (s *Service) Get(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID) (Budget, error) {
	budget, err := budgetOf(ctx, on, workspaceID)
	if err != nil {
		return Budget{}, err
	}
	found := Budget{ModelBudget: budget, Month: Month(s.Clock.Now())}
	found.Spent, err = db.New().ModelSpendingGet(ctx, on, db.ModelSpendingGetParams{WorkspaceID: workspaceID, AgentID: uuid.Nil, Month: found.Month})
	if err != nil && !postgres.IsNotFound(err) {
		return Budget{}, fmt.Errorf("get spending: %w", err)
	}
	return found, nil
}

// Change is what to change of a budget; what is nil stays. Micros returns nil for no limit.
type Change struct {
	Currency     *string
	Micros       func() *int64
	WhenExceeded *api.ModelBudgetExceeded
}

// Update changes the budget of a workspace.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, change Change) (updated Budget, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if err := db.New().WorkspaceLock(ctx, tx, db.WorkspaceLockParams{WorkspaceID: workspaceID}); err != nil {
			return fmt.Errorf("lock workspace: %w", err)
		}
		budget, err := budgetOf(ctx, tx, workspaceID)
		if err != nil {
			return err
		}
		if change.Currency != nil {
			budget.Currency = *change.Currency
		}
		if change.Micros != nil {
			budget.MonthlyMicros = change.Micros()
		}
		if change.WhenExceeded != nil {
			budget.WhenExceeded = *change.WhenExceeded
		}
		if _, err := db.New().ModelBudgetSet(ctx, tx, db.ModelBudgetSetParams{
			WorkspaceID: workspaceID, Currency: budget.Currency, MonthlyMicros: budget.MonthlyMicros, WhenExceeded: budget.WhenExceeded, UpdatedAt: s.Clock.Now(),
		}); err != nil {
			return fmt.Errorf("set budget: %w", err)
		}
		updated, err = s.Get(ctx, tx, workspaceID)
		return err
	})
	return updated, err
}

// budgetOf returns the budget of a workspace, which has no limit if it has set none.
func budgetOf(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID) (db.ModelBudget, error) {
	budget, err := db.New().ModelBudgetGet(ctx, on, db.ModelBudgetGetParams{WorkspaceID: workspaceID})
	if postgres.IsNotFound(err) {
		return db.ModelBudget{WorkspaceID: workspaceID, Currency: defaultCurrency, WhenExceeded: api.ModelBudgetExceededHANDOFF}, nil
	} else if err != nil {
		return budget, fmt.Errorf("get budget: %w", err)
	}
	return budget, nil
}

// priceOf returns the price of an agent's model; nil if it has none.
func priceOf(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, agent db.Agent) (*Price, error) {
	raw, err := db.New().ModelPricesGet(ctx, on, db.ModelPricesGetParams{WorkspaceID: workspaceID, Provider: agent.ModelProvider})
	if postgres.IsNotFound(err) {
		return nil, nil //nolint:nilnil // no price is no error
	} else if err != nil {
		return nil, fmt.Errorf("get prices: %w", err)
	}
	prices := map[string]Price{}
	if err := json.Unmarshal(raw, &prices); err != nil {
		return nil, fmt.Errorf("stored prices: %w", err)
	}
	price, ok := prices[agent.ModelName]
	if !ok {
		return nil, nil //nolint:nilnil // no price is no error
	}
	return &price, nil
}

// outcome is what the ledger says of a call.
func outcome(failure error) string {
	if failure == nil {
		return "ok"
	}
	if failed, ok := errors.AsType[*model.Error](failure); ok {
		return string(failed.Kind)
	}
	return "failed"
}

// isFree reports whether a provider charges nothing for a call that failed: it responded with
// an error, or did not get the request.
func isFree(failure error) bool {
	failed, ok := errors.AsType[*model.Error](failure)
	return ok && (failed.Status >= badRequest || failed.Kind == model.Unreachable)
}
