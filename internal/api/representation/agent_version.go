package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/openapi/timestamp"
)

// AgentVersion converts a version of an agent for lists, without its prompt.
func AgentVersion(row agent.Version) api.AgentVersion {
	return api.AgentVersion{
		Number: row.Number, ModelProvider: row.ModelProvider, ModelName: row.ModelName, Temperature: row.Temperature, MaxTokens: row.MaxTokens,
		Published: row.Published, WithdrawnAt: timestamp.NewPtr(row.WithdrawnAt), CreatedAt: timestamp.New(row.CreatedAt),
	}
}

// AgentVersionDetail converts a version of an agent with its prompt.
func AgentVersionDetail(row agent.Version) api.AgentVersionDetail {
	short := AgentVersion(row)
	return api.AgentVersionDetail{
		Number: short.Number, ModelProvider: short.ModelProvider, ModelName: short.ModelName, Temperature: short.Temperature, MaxTokens: short.MaxTokens,
		Published: short.Published, WithdrawnAt: short.WithdrawnAt, CreatedAt: short.CreatedAt, SystemPrompt: row.SystemPrompt,
	}
}
