package httpapi

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

func toAPIAgent(row db.Agent) api.Agent {
	return api.Agent{
		ID: row.ID, Name: row.Name, Status: row.Status,
		ModelProvider: row.ModelProvider, ModelName: row.ModelName,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}

func toAPIAgentDetail(row db.Agent) api.AgentDetail {
	return api.AgentDetail{
		ID: row.ID, Name: row.Name, Status: row.Status,
		ModelProvider: row.ModelProvider, ModelName: row.ModelName,
		SystemPrompt: row.SystemPrompt, Temperature: row.Temperature, MaxTokens: row.MaxTokens,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}
