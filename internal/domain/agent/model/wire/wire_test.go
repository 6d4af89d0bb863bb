package wire_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/anthropic"
	"github.com/avelto/convo/internal/domain/agent/model/openai"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/modeltest"
)

// secret is a key that must be in no error.
const secret = "key-never-shown-anywhere"

// clients are the providers, by the name of their fixtures.
var clients = map[string]func(wire.Settings) model.Provider{
	openai.Name:    func(in wire.Settings) model.Provider { return openai.New(in) },
	anthropic.Name: func(in wire.Settings) model.Provider { return anthropic.New(in) },
}

func TestRequestsAndResponsesAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	for name, open := range clients {
		server := modeltest.New(t, modeltest.Sends(modeltest.Fixture(t, name+"/call.json"), modeltest.Fixture(t, name+"/text.json")))
		provider := open(server.Settings(t, secret))
		called, err := provider.Chat(t.Context(), modeltest.Request())
		require.NoError(t, err, name)
		require.Len(t, called.Calls, 1)
		require.Equal(t, "search_knowledge", called.Calls[0].Name)
		require.JSONEq(t, `{"query":"return shoes"}`, string(called.Calls[0].Arguments))
		require.NotEmpty(t, called.Calls[0].ID)
		require.Equal(t, model.Usage{InputTokens: 820, OutputTokens: 17}, called.Usage)

		text, err := provider.Chat(t.Context(), modeltest.Request())
		require.NoError(t, err, name)
		require.Equal(t, model.Response{Content: "You may return shoes within 30 days of delivery. [1]", Usage: model.Usage{InputTokens: 1180, OutputTokens: 23}}, text)
		received := server.Received()[1]
		require.JSONEq(t, modeltest.Fixture(t, name+"/request.json"), received.Body)
		require.Equal(t, "Convo/1.0", received.Header.Get("User-Agent"))
		require.Equal(t, map[string]string{openai.Name: "/chat/completions", anthropic.Name: "/v1/messages"}[name], received.Path)
		key := received.Header.Get("X-Api-Key") + strings.TrimPrefix(received.Header.Get("Authorization"), "Bearer ")
		require.Equal(t, secret, key)
	}
}

func TestStreamsPassOnTheText(t *testing.T) {
	t.Parallel()
	for name, open := range clients {
		whole := modeltest.Fixture(t, name+"/stream.txt")
		before, _, _ := strings.Cut(whole, " shoes within")
		events := strings.SplitAfter(before, "\n\n")
		server := modeltest.New(t, modeltest.Sends(whole, strings.Join(events[:len(events)-1], "")))
		provider := open(server.Settings(t, secret))
		var parts []string
		read := func(text string) { parts = append(parts, text) }
		response, err := provider.Stream(t.Context(), modeltest.Request(), read)
		require.NoError(t, err, name)
		require.Equal(t, []string{"You may return", " shoes within 30 days of delivery. [1]"}, parts)
		require.Equal(t, model.Response{Content: strings.Join(parts, ""), Usage: model.Usage{InputTokens: 1180, OutputTokens: 23}}, response)
		_, err = provider.Stream(t.Context(), modeltest.Request(), read)
		require.Equal(t, &model.Error{Kind: model.Unreachable}, err, "%s: the stream ended early", name)
	}
}

// TestFailuresAreAClosedSet sends the errors that the providers document, and what broken
// servers send.
func TestFailuresAreAClosedSet(t *testing.T) {
	t.Parallel()
	quoted := `"Incorrect key: ` + secret + `"`
	for name, one := range map[string]struct {
		status int
		body   map[string]string
		want   model.Kind
	}{
		"key": {401, map[string]string{
			openai.Name:    `{"error":{"message":` + quoted + `,"type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
			anthropic.Name: `{"type":"error","error":{"type":"authentication_error","message":` + quoted + `},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}`,
		}, model.Credentials},
		"credit": {429, map[string]string{
			openai.Name: `{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
		}, model.Credentials},
		"billing": {402, map[string]string{
			anthropic.Name: `{"type":"error","error":{"type":"billing_error","message":"Billing."},"request_id":"req_1"}`,
		}, model.Credentials},
		"rate": {429, map[string]string{
			openai.Name:    `{"error":{"message":"Rate limit reached.","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
			anthropic.Name: `{"type":"error","error":{"type":"rate_limit_error","message":"Rate limit."},"request_id":"req_1"}`,
		}, model.RateLimited},
		"server": {500, map[string]string{
			openai.Name:    `{"error":{"message":"The server had an error.","type":"server_error","param":null,"code":null}}`,
			anthropic.Name: `{"type":"error","error":{"type":"api_error","message":"Internal server error"},"request_id":"req_1"}`,
		}, model.Overloaded},
		"overloaded": {529, map[string]string{
			anthropic.Name: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`,
		}, model.Overloaded},
		"proxy": {502, map[string]string{openai.Name: "<html>Bad Gateway</html>", anthropic.Name: "<html>Bad Gateway</html>"}, model.Overloaded},
		"model": {404, map[string]string{
			openai.Name:    `{"error":{"message":"The model does not exist.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
			anthropic.Name: `{"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":"req_1"}`,
		}, model.Invalid},
		"filter": {400, map[string]string{
			openai.Name: `{"error":{"message":"Filtered.","type":null,"param":"prompt","code":"content_filter","status":400}}`,
		}, model.Refused},
		"refusal": {200, map[string]string{
			openai.Name:    `{"id":"1","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":null,"refusal":"I can't."}}]}`,
			anthropic.Name: `{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":0}}`,
		}, model.Refused},
		"malformed": {200, map[string]string{openai.Name: `{"choices": [`, anthropic.Name: `{"content": [`}, model.Invalid},
		"empty":     {200, map[string]string{openai.Name: `{}`, anthropic.Name: `{}`}, model.Invalid},
		"redirect":  {302, map[string]string{openai.Name: ``, anthropic.Name: ``}, model.Invalid},
		"endless":   {200, map[string]string{openai.Name: strings.Repeat(" ", wire.MaxResponse+1), anthropic.Name: strings.Repeat(" ", wire.MaxResponse+1)}, model.Invalid},
	} {
		for provider, body := range one.body {
			server := modeltest.New(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(one.status)
				_, _ = io.WriteString(w, body)
			})
			_, err := clients[provider](server.Settings(t, secret)).Chat(t.Context(), modeltest.Request())
			var failed *model.Error
			require.ErrorAs(t, err, &failed, "%s of %s", name, provider)
			require.Equal(t, one.want, failed.Kind, "%s of %s", name, provider)
			if one.status >= http.StatusBadRequest {
				require.Equal(t, one.status, failed.Status)
				require.Equal(t, 7*time.Second, *failed.RetryAfter)
			}
			require.NotContains(t, err.Error(), secret)
			require.Len(t, server.Received(), 1, "%s of %s: nothing is repeated here", name, provider)
		}
	}
}

func TestCallsEndWithTheirDeadline(t *testing.T) {
	t.Parallel()
	for name, open := range clients {
		server := modeltest.New(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := open(server.Settings(t, secret)).Chat(ctx, modeltest.Request())
		require.Equal(t, &model.Error{Kind: model.TimedOut}, err, name)
		cancel()
	}
}

func TestConnectionsAreGuarded(t *testing.T) {
	t.Parallel()
	for name, open := range clients {
		server := modeltest.New(t, modeltest.Sends("{}"))
		settings := server.Settings(t, secret)
		settings.Client = apiclient.New(egress.NewGuard(nil))
		_, err := open(settings).Chat(t.Context(), modeltest.Request())
		require.Equal(t, &model.Error{Kind: model.Unreachable}, err, name)
		require.Empty(t, server.Received())
	}
}

// TestTokensAreBounded reads numbers that no model could have used.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, model.Usage{InputTokens: 0, OutputTokens: 10_000_000}, wire.Usage(-1, 1<<62))
}
