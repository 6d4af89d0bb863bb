package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/modeltest"
)

// modelKey is a secret that must appear nowhere.
const modelKey = "key-never-shown-anywhere-0123456789"

// setupModels starts a server that may connect to loopback, with the demo data.
func setupModels(t *testing.T) (s *apitest.Server, rich apitest.Space) {
	t.Helper()
	s = apitest.New(t, apitest.Options{Config: apitest.Config{AllowedTargets: []string{"127.0.0.0/8"}}})
	rich, _ = s.Demo(t)
	return s, rich
}

func TestModelProvidersAreSetUpAndDeleted(t *testing.T) {
	t.Parallel()
	s, rich := setupModels(t)
	path := "/model-providers/openai"
	s.Get(t, rich.Token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Delete(t, rich.Token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	set := func(body string) api.ModelProvider {
		return apitest.Decode[api.ModelProvider](t, s.Patch(t, rich.Token, path, body).Want(t, http.StatusOK))
	}
	invalid := func(body, field, message string) {
		problem := s.Patch(t, rich.Token, path, body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, []api.FieldError{{Location: field, Message: message}}, *problem.Errors, body)
	}
	const required = "is required for another base URL, and for the provider's own"
	invalid(`{"baseUrl":null}`, "body.apiKey", required)
	open := set(`{"baseUrl":"https://models.example.com/v1/"}`)
	require.Equal(t, "https://models.example.com/v1", *open.BaseURL)
	require.False(t, open.CredentialsSet, "such as for Ollama")
	invalid(`{"baseUrl":null}`, "body.apiKey", required)

	own := set(`{"apiKey":"` + modelKey + `","baseUrl":null}`)
	require.True(t, own.CredentialsSet)
	require.Nil(t, own.BaseURL)
	s.Clock.Advance(time.Second)
	kept := set(`{"baseUrl":null}`)
	require.True(t, kept.CredentialsSet, "the key stays")
	require.Equal(t, own.CreatedAt, kept.CreatedAt)
	require.NotEqual(t, own.UpdatedAt, kept.UpdatedAt)
	invalid(`{"baseUrl":"https://models.example.com"}`, "body.apiKey", required)
	require.Equal(t, kept, apitest.Decode[api.ModelProvider](t, s.Get(t, rich.Token, path).Want(t, http.StatusOK)), "nothing has changed")
	s.Patch(t, rich.Token, path, `{}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	invalid(`{"apiKey":"k","baseUrl":"http://models.example.com"}`, "body.baseUrl", "must be https")
	invalid(`{"apiKey":"k","baseUrl":"https://10.0.0.1"}`, "body.baseUrl", "must not be a private or reserved address")
	invalid(`{"apiKey":"k","baseUrl":"https://models.example.com/?v=1"}`, "body.baseUrl", "must not have a query")
	s.Patch(t, rich.Token, path, `{"apiKey":"two words"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	unknown := s.Patch(t, rich.Token, "/model-providers/builtin", `{"apiKey":"k"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	require.Equal(t, []api.FieldError{{Location: "path.provider", Message: "must be one of openai, anthropic"}}, *unknown.Errors)
	s.Delete(t, rich.Token, path).Want(t, http.StatusNoContent)
	s.Get(t, rich.Token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// allFree reports whether all connections of a pool can be had.
func allFree(ctx context.Context, pool *pgxpool.Pool) bool {
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return false
		}
		defer conn.Release()
	}
	return true
}

// TestAgentsReplyWithModelProviders lets an agent search and cite with the API of each provider,
// and looks for the key in everything that is shown or kept. No connection to the database is
// held while the provider takes its time.
func TestAgentsReplyWithModelProviders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openai", "anthropic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, rich := setupModels(t)
			bodies := []string{modeltest.Fixture(t, name+"/call.json"), modeltest.Fixture(t, name+"/text.json")}
			server := modeltest.New(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if !allFree(r.Context(), s.DB.Pool()) {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				modeltest.Sends(bodies...)(n, w, r)
			})
			responses := []apitest.Response{s.Patch(t, rich.Token, "/model-providers/"+name, map[string]string{"apiKey": modelKey, "baseUrl": server.URL}).Want(t, http.StatusOK)}
			agent := apitest.Decode[api.AgentDetail](t, s.Post(t, rich.Token, "/agents", `{"name":"A","modelProvider":"`+name+`","modelName":"the-model"}`).Want(t, http.StatusCreated))
			preview := s.Post(t, rich.Token, "/agents/"+agent.ID.String()+"/preview", `{"messages":[{"role":"USER","content":"How long may I return shoes?"}]}`).Want(t, http.StatusOK)
			shown := apitest.Decode[api.AgentPreview](t, preview)
			require.Equal(t, api.AgentRunOutcomeANSWERED, shown.Outcome)
			require.Equal(t, "You may return shoes within 30 days of delivery. [1]", shown.Content)
			require.Equal(t, "Returns and refunds", shown.Citations[0].Title)
			require.Equal(t, []int32{2, 2000, 40}, []int32{shown.Steps, shown.InputTokens, shown.OutputTokens})
			require.Len(t, server.Received(), 2)
			require.Contains(t, server.Received()[1].Body, "within 30 days of delivery", "the model sees what was found")

			checked := s.Post(t, rich.Token, "/agents/"+agent.ID.String()+"/check", nil).Want(t, http.StatusOK)
			require.JSONEq(t, `{"ok":true,"reason":null,"detail":null}`, string(checked.Body))
			for _, response := range append(responses, preview, checked, s.Get(t, rich.Token, "/model-providers/"+name)) {
				require.NotContains(t, string(response.Body), modelKey)
			}
			require.NotContains(t, s.LogText(), modelKey)
			for _, table := range []string{"model_providers", "idempotency_keys", "audit_entries"} {
				var found int
				require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" AS r WHERE strpos(to_jsonb(r)::text, $1) > 0", modelKey).Scan(&found))
				require.Zero(t, found, table)
			}
		})
	}
}

// TestChecksNameTheErrorsOfModelProviders lets a provider quote the key in its errors.
func TestChecksNameTheErrorsOfModelProviders(t *testing.T) {
	t.Parallel()
	s, rich := setupModels(t)
	var mu sync.Mutex
	status := 0
	server := modeltest.New(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":"`+modelKey+`","type":"x","code":"x"}}`)
	})
	s.Patch(t, rich.Token, "/model-providers/openai", map[string]string{"apiKey": modelKey, "baseUrl": server.URL}).Want(t, http.StatusOK)
	agent := apitest.Decode[api.AgentDetail](t, s.Post(t, rich.Token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated))
	for one, want := range map[int]api.AgentRunReason{
		http.StatusUnauthorized: api.AgentRunReasonModelCredentials, http.StatusTooManyRequests: api.AgentRunReasonModelRateLimited,
		http.StatusServiceUnavailable: api.AgentRunReasonModelOverloaded, http.StatusNotFound: api.AgentRunReasonModelInvalid,
		http.StatusGatewayTimeout: api.AgentRunReasonModelTimeout, http.StatusOK: api.AgentRunReasonModelInvalid,
	} {
		mu.Lock()
		status = one
		mu.Unlock()
		response := s.Post(t, rich.Token, "/agents/"+agent.ID.String()+"/check", nil).Want(t, http.StatusOK)
		checked := apitest.Decode[api.AgentCheck](t, response)
		require.False(t, checked.Ok)
		require.Equal(t, want, *checked.Reason, one)
		require.NotEmpty(t, *checked.Detail)
		require.NotContains(t, string(response.Body), modelKey)
	}
	s.Exec(t, "UPDATE model_providers SET api_key = '\\x00'")
	lost := apitest.Decode[api.AgentCheck](t, s.Post(t, rich.Token, "/agents/"+agent.ID.String()+"/check", nil).Want(t, http.StatusOK))
	require.Equal(t, api.AgentRunReasonModelCredentials, *lost.Reason, "the key can't be decrypted")
	require.True(t, strings.HasPrefix(*lost.Detail, "The provider rejected its key"))
	require.NotContains(t, s.LogText(), modelKey)
}
