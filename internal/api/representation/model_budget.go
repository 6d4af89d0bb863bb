package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent/spending"
)

// ModelBudget converts the budget of a workspace.
func ModelBudget(of spending.Budget) api.ModelBudget {
	return api.ModelBudget{
		Currency: of.Currency, MonthlyBudgetMicros: of.MonthlyMicros, WhenExceeded: of.WhenExceeded,
		Month: of.Month.Format("2006-01"), SpentMicros: of.Spent,
	}
}
