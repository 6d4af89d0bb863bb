package representation

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/spending"
	"github.com/avelto/convo/openapi/timestamp"
)

// ModelProvider converts the settings of a provider of language models, without its key.
func ModelProvider(row db.ModelProvider) api.ModelProvider {
	prices := map[string]spending.Price{}
	if err := json.Unmarshal(row.Prices, &prices); err != nil {
		panic(err) // unreachable: the database has what was encoded
	}
	shown := api.ModelProvider{
		Provider: row.Provider, BaseURL: row.BaseURL, CredentialsSet: row.APIKey != nil, Prices: []api.ModelPrice{},
		CreatedAt: timestamp.New(row.CreatedAt), UpdatedAt: timestamp.New(row.UpdatedAt),
	}
	for _, name := range slices.Sorted(maps.Keys(prices)) {
		one := prices[name]
		shown.Prices = append(shown.Prices, api.ModelPrice{Model: name, InputMicrosPerMillionTokens: one.Input, OutputMicrosPerMillionTokens: one.Output})
	}
	return shown
}
