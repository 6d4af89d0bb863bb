package representation

import (
	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/openapi/timestamp"
)

// ModelProvider converts the settings of a provider of language models, without its key.
func ModelProvider(row db.ModelProvider) api.ModelProvider {
	return api.ModelProvider{
		Provider: row.Provider, BaseURL: row.BaseURL, CredentialsSet: row.APIKey != nil,
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
}
