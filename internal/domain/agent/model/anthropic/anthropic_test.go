package anthropic_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/anthropic"
	"github.com/avelto/convo/internal/testing/modeltest"
)

// TestAConversationBeginsWithTheUser sends what the API rejects otherwise: messages of ours at
// the beginning, empty ones, several of a role in a row, and a temperature above 1.
func TestAConversationBeginsWithTheUser(t *testing.T) {
	t.Parallel()
	server := modeltest.New(t, modeltest.Sends(modeltest.Fixture(t, "anthropic/text.json")))
	provider := anthropic.New(server.Settings(t, "key"))
	_, err := provider.Chat(t.Context(), model.Request{
		Model: "m", MaxTokens: 200_000, Temperature: 1.5,
		Messages: []model.Message{
			{Role: model.Assistant, Content: "Hello!"}, {Role: model.Assistant, Content: " "},
			{Role: model.User, Content: "Hi"}, {Role: model.User, Content: "Do you have boots?"},
		},
	})
	require.NoError(t, err)
	var sent struct {
		Temperature *float64 `json:"temperature"`
		Messages    []struct {
			Role    string           `json:"role"`
			Content []map[string]any `json:"content"`
		} `json:"messages"`
	}
	require.NoError(t, json.Unmarshal([]byte(server.Received()[0].Body), &sent))
	require.Nil(t, sent.Temperature)
	var roles []string
	for _, one := range sent.Messages {
		roles = append(roles, one.Role)
	}
	require.Equal(t, []string{"user", "assistant", "user"}, roles)
	require.Len(t, sent.Messages[2].Content, 2)
	_, err = provider.Embed(t.Context(), "m", []string{"a"})
	require.ErrorIs(t, err, model.ErrUnavailable)
}
