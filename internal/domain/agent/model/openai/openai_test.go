package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/openai"
	"github.com/avelto/convo/internal/testing/modeltest"
)

func TestEmbeddingsAreInTheOrderOfTheTexts(t *testing.T) {
	t.Parallel()
	body := `{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5]},{"object":"embedding","index":0,"embedding":[0.25,-1]}],
		"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}`
	server := modeltest.New(t, modeltest.Sends(body, `{"object":"list","data":[{"object":"embedding","index":7,"embedding":[1]}]}`, `{"object":"list","data":[]}`))
	provider := openai.New(server.Settings(t, "key"))
	vectors, err := provider.Embed(t.Context(), "text-embedding-3-small", []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, [][]float32{{0.25, -1}, {0.5}}, vectors)
	require.Equal(t, "/embeddings", server.Received()[0].Path)
	for range 2 {
		_, err = provider.Embed(t.Context(), "text-embedding-3-small", []string{"a", "b"})
		require.Equal(t, &model.Error{Kind: model.Invalid}, err)
	}
}

// TestCallsWithoutAnIDGetOne: some compatible servers send none.
func TestCallsWithoutAnIDGetOne(t *testing.T) {
	t.Parallel()
	server := modeltest.New(t, modeltest.Sends(`{"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"",
		"tool_calls":[{"type":"function","function":{"name":"hand_off","arguments":"{}"}}]}}]}`))
	response, err := openai.New(server.Settings(t, "")).Chat(t.Context(), modeltest.Request())
	require.NoError(t, err)
	require.Equal(t, model.Response{Calls: []model.Call{{ID: "call_0", Name: "hand_off", Arguments: json.RawMessage("{}")}}}, response)
	require.Empty(t, server.Received()[0].Header.Get("Authorization"), "a server may need no key")
}
