package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// Agent converts an agent for lists, without its prompt.
func Agent(row db.Agent) api.Agent {
	return api.Agent{
		ID: row.ID, Name: row.Name, Status: row.Status, PublishedVersion: row.PublishedVersion,
		ModelProvider: row.ModelProvider, ModelName: row.ModelName,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

// AgentDetail converts an agent with all its settings.
func AgentDetail(row db.Agent) api.AgentDetail {
	return api.AgentDetail{
		ID: row.ID, Name: row.Name, Status: row.Status, PublishedVersion: row.PublishedVersion, UnpublishedChanges: row.UnpublishedChanges,
		ModelProvider: row.ModelProvider, ModelName: row.ModelName,
		SystemPrompt: row.SystemPrompt, Temperature: row.Temperature, MaxTokens: row.MaxTokens,
		MonthlyBudgetMicros: row.MonthlyBudgetMicros,
		CreatedAt:           timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}
