package httpapi_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// botToken is a secret that must appear nowhere.
const botToken = "123456:AAE-never-shown-anywhere-0123456789"

// channels is a server with one scripted channel type, in a workspace with one agent.
type channels struct {
	*apitest.Server

	space    uuid.UUID
	token    string
	agent    uuid.UUID
	telegram *channeltest.Provider
}

func setupChannels(t *testing.T, options apitest.Options) *channels {
	t.Helper()
	f := &channels{telegram: &channeltest.Provider{Kind: api.ChannelTypeTELEGRAM, Limits: provider.Rules{MaxLength: 4096, Hook: true, Timeout: time.Minute}}}
	options.Providers = channeltest.Registry()
	options.Providers[api.ChannelTypeTELEGRAM] = f.telegram
	delete(options.Providers, api.ChannelTypeVOICE)
	options.PublicURL = true
	f.Server = apitest.New(t, options)
	f.space = f.Workspace(t, "acme")
	f.token = f.Token(t, f.space)
	f.agent = apitest.Decode[api.AgentDetail](t, f.Post(t, f.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	return f
}

func (f *channels) body(more map[string]any) map[string]any {
	body := map[string]any{"type": "TELEGRAM", "name": "Shop", "agentId": f.agent, "credentials": map[string]string{"botToken": botToken}}
	maps.Copy(body, more)
	return body
}

func (f *channels) create(t *testing.T) api.ChannelDetail {
	t.Helper()
	return apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", f.body(nil)).Want(t, http.StatusCreated))
}

func (f *channels) get(t *testing.T, id uuid.UUID) api.ChannelDetail {
	t.Helper()
	return apitest.Decode[api.ChannelDetail](t, f.Get(t, f.token, "/channels/"+id.String()).Want(t, http.StatusOK))
}

func (f *channels) patch(t *testing.T, id uuid.UUID, body any) apitest.Response {
	t.Helper()
	return f.Do(t, apitest.Request{Method: http.MethodPatch, Path: "/channels/" + id.String(), Token: f.token, Body: body})
}

// methods returns the calls of the provider by name.
func (f *channels) methods() (all []string) {
	for _, call := range f.telegram.Calls() {
		all = append(all, call.Method)
	}
	return all
}

func TestCreateChannelConnectsIt(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	f.telegram.CheckFunc = func(context.Context, provider.Channel) (string, error) { return "@shop_bot", nil }
	response := f.Post(t, f.token, "/channels", f.body(nil)).Want(t, http.StatusCreated)
	created := apitest.Decode[api.ChannelDetail](t, response)
	require.Equal(t, spec.BasePath+"/channels/"+created.ID.String(), response.Header.Get("Location"))
	require.Equal(t, api.ChannelStatusCONNECTED, created.Status)
	require.Equal(t, "@shop_bot", *created.Account)
	require.True(t, created.CredentialsSet)
	require.Nil(t, created.Error)
	require.Equal(t, f.Origin+"/hooks/"+created.ID.String(), *created.HookURL)
	require.Equal(t, []string{"check", "connect"}, f.methods())
	seen := f.telegram.Calls()[1].Channel
	require.Equal(t, botToken, seen.Credentials["botToken"])
	require.Equal(t, *created.HookURL, seen.HookURL)
	require.Equal(t, created, f.get(t, created.ID))
	listed := apitest.Decode[[]api.Channel](t, f.Get(t, f.Token(t, f.space, api.ScopeAnalyticsRead), "/channels").Want(t, http.StatusOK))
	require.Equal(t, created.ID, listed[0].ID, "any token can list channels")
	require.Equal(t, api.ChannelStatusCONNECTED, listed[0].Status)
}

// TestCredentialsAreSealedAndNeverShown looks for a secret in every response, in the log, in
// the audit log and in the database.
func TestCredentialsAreSealedAndNeverShown(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	f.telegram.CheckFunc = func(_ context.Context, c provider.Channel) (string, error) {
		return "", &provider.SendError{Kind: provider.Credentials, Code: "401", Detail: "GET /bot" + c.Credentials["botToken"] + ": Unauthorized"}
	}
	responses := []apitest.Response{
		f.Post(t, f.token, "/channels", f.body(nil)).Want(t, http.StatusCreated), f.Get(t, f.token, "/channels").Want(t, http.StatusOK),
		f.Post(t, f.token, "/channels", f.body(map[string]any{"config": map[string]string{"botToken": "x"}})),
	}
	id := apitest.Decode[api.ChannelDetail](t, responses[0]).ID
	responses = append(responses,
		f.Post(t, f.token, "/channels/"+id.String()+"/check", nil).Want(t, http.StatusOK), f.patch(t, id, `{"name":"Other"}`).Want(t, http.StatusOK),
		f.patch(t, id, map[string]any{"credentials": map[string]string{"botToken": botToken, "unknown": botToken}}))
	for _, response := range responses {
		require.NotContains(t, string(response.Body), botToken)
	}
	require.NotContains(t, f.LogText(), botToken)
	require.Contains(t, f.get(t, id).Error.Message, "[redacted]")
	for _, table := range []string{"channels", "idempotency_keys", "audit_entries"} {
		var found int
		require.NoError(t, f.DB.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" AS r WHERE strpos(to_jsonb(r)::text, $1) > 0", botToken).Scan(&found))
		require.Zero(t, found, table)
	}
}

func TestCreateChannelReportsTheProvidersError(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	for name, one := range map[string]struct {
		err  error
		code api.ChannelErrorCode
		text string
	}{
		"rejected":    {&provider.SendError{Kind: provider.Credentials, Code: "401", Detail: "Unauthorized"}, api.ChannelErrorCodeCredentialsRejected, "Unauthorized (401)"},
		"unavailable": {&provider.SendError{Kind: provider.Retryable, Detail: "Timeout"}, api.ChannelErrorCodeProviderUnavailable, "Timeout"},
		"unexpected":  {errors.New("internal detail"), api.ChannelErrorCodeRejectedByProvider, "The provider could not be asked."},
	} {
		f.telegram.CheckFunc = func(context.Context, provider.Channel) (string, error) { return "", one.err }
		created := f.create(t)
		require.Equal(t, api.ChannelStatusERROR, created.Status, name)
		require.Equal(t, one.code, created.Error.Code, name)
		require.Equal(t, one.text, created.Error.Message, name)
		require.Equal(t, f.Clock.Now(), created.Error.At.Time, name)
	}
	f.telegram.CheckFunc = nil
	f.telegram.ConnectFunc = func(context.Context, provider.Channel) error {
		return &provider.SendError{Kind: provider.Permanent, Detail: "Bad webhook"}
	}
	created := f.create(t)
	require.Equal(t, api.ChannelErrorCodeRejectedByProvider, created.Error.Code)
	f.telegram.ConnectFunc = nil
	checked := apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels/"+created.ID.String()+"/check", nil).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusCONNECTED, checked.Status)
	require.Nil(t, checked.Error)
	// A provider that is out of reach for a while does not stop a channel that has worked.
	f.telegram.CheckFunc = func(context.Context, provider.Channel) (string, error) {
		return "", &provider.SendError{Kind: provider.Retryable, Detail: "Timeout"}
	}
	checked = apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels/"+created.ID.String()+"/check", nil).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusCONNECTED, checked.Status)
	require.Equal(t, api.ChannelErrorCodeProviderUnavailable, checked.Error.Code)
}

func TestCreateChannelRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	f.telegram.Invalid = func(c provider.Channel) []provider.Invalid {
		if c.Credentials["botToken"] == "short" {
			return []provider.Invalid{{Pointer: "/credentials/botToken", Message: "must be a token"}}
		}
		return nil
	}
	for want, body := range map[string]any{
		"body.type is required":                                     `{"name":"x"}`,
		"body.credentials is required":                              map[string]any{"type": "TELEGRAM", "name": "x", "agentId": f.agent},
		"body.credentials.botToken must be a token":                 f.body(map[string]any{"credentials": map[string]string{"botToken": "short"}}),
		"body.credentials.password is not a known property":         f.body(map[string]any{"credentials": map[string]string{"botToken": botToken, "password": "x"}}),
		"body.config.title is not a known property":                 f.body(map[string]any{"config": map[string]string{"title": "x"}}),
		"body.config.color must be a color such as #1f6feb":         map[string]any{"type": "WEBSITE", "name": "x", "agentId": f.agent, "config": map[string]string{"color": "red"}},
		"body.name must not be blank":                               f.body(map[string]any{"name": "  "}),
		"body.apiBaseUrl must be https":                             f.body(map[string]any{"apiBaseUrl": "http://api.example.com"}),
		"body.apiBaseUrl must not be a private or reserved address": f.body(map[string]any{"apiBaseUrl": "https://169.254.169.254"}),
	} {
		problem := f.Post(t, f.token, "/channels", body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, want, (*problem.Errors)[0].Location+" "+(*problem.Errors)[0].Message)
	}
	unknown := f.Post(t, f.token, "/channels", `{"type":"FAX"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	require.Equal(t, "must be one of WEBSITE, TELEGRAM, EMAIL, WHATSAPP, MESSENGER, VIBER, SLACK, DISCORD, SMS, VOICE", (*unknown.Errors)[0].Message)
	f.Post(t, f.token, "/channels", f.body(map[string]any{"agentId": uuid.New()})).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownAgent)
	voice := map[string]any{"type": "VOICE", "name": "x", "agentId": f.agent, "credentials": map[string]string{"authToken": strings.Repeat("x", 32)}}
	voice["config"] = map[string]any{"accountSid": "AC" + strings.Repeat("0f", 16), "from": "+48123456789"}
	f.Post(t, f.token, "/channels", voice).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeChannelTypeUnavailable)
	require.JSONEq(t, "[]", string(f.Get(t, f.token, "/channels").Want(t, http.StatusOK).Body), "nothing was stored")
	require.Empty(t, f.telegram.Calls(), "and no one was called")
}

func TestAWorkspaceHasALimitedNumberOfChannels(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	f.Exec(t, `INSERT INTO channels (workspace_id, id, type, name, agent_id, created_at)
		SELECT $1, gen_random_uuid(), 'WEBSITE', 'x', $2, now() FROM generate_series(1, $3::integer)`, f.space, f.agent, channel.MaxChannels)
	f.Post(t, f.token, "/channels", f.body(nil)).Problem(t, http.StatusConflict, api.ErrorCodeTooManyChannels)
	f.Exec(t, "UPDATE channels SET deleted_at = now() WHERE id = (SELECT id FROM channels LIMIT 1)")
	f.create(t)
}

// TestCreateChannelRunsOncePerKey: the replay has the outcome of the connection.
func TestCreateChannelRunsOncePerKey(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	f.telegram.CheckFunc = func(context.Context, provider.Channel) (string, error) { return "@shop_bot", nil }
	send := func() apitest.Response {
		return f.Do(t, apitest.Request{Method: http.MethodPost, Path: "/channels", Token: f.token, Body: f.body(nil), Header: map[string]string{"Idempotency-Key": "k"}}).Want(t, http.StatusCreated)
	}
	first, second := send(), send()
	require.Equal(t, "true", second.Header.Get("Idempotent-Replayed"))
	requireReplayed(t, operation(t, f.Server, "createChannel"), first, second)
	require.Equal(t, api.ChannelStatusCONNECTED, apitest.Decode[api.ChannelDetail](t, second).Status)
	require.Len(t, apitest.Decode[[]api.Channel](t, f.Get(t, f.token, "/channels")), 1)
	require.Equal(t, []string{"check", "connect"}, f.methods())
}

func TestUpdateChannelMergesSettings(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{})
	site := apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", map[string]any{
		"type": "WEBSITE", "name": "Site", "agentId": f.agent, "config": map[string]any{"title": "Shop", "locale": "pl"},
		"credentials": map[string]string{"identitySecret": strings.Repeat("s", 32)},
	}).Want(t, http.StatusCreated))
	require.Nil(t, site.HookURL)
	updated := apitest.Decode[api.ChannelDetail](t, f.patch(t, site.ID, `{"name":" New ","config":{"title":"Shop 2","locale":null}}`).Want(t, http.StatusOK))
	require.Equal(t, "New", updated.Name)
	require.JSONEq(t, `{"title":"Shop 2"}`, string(updated.Config))
	require.True(t, updated.CredentialsSet)
	for want, body := range map[string]string{
		"body.config.color must be a color such as #1f6feb":                   `{"config":{"color":"red"}}`,
		"body.config.extra is not a known property":                           `{"config":{"extra":1}}`,
		"body.credentials.identitySecret must contain at least 32 characters": `{"credentials":{"identitySecret":"short"}}`,
	} {
		problem := f.patch(t, site.ID, body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, want, (*problem.Errors)[0].Location+" "+(*problem.Errors)[0].Message)
	}
	require.Equal(t, updated.Config, f.get(t, site.ID).Config, "nothing was stored")
	removed := apitest.Decode[api.ChannelDetail](t, f.patch(t, site.ID, `{"credentials":{"identitySecret":null}}`).Want(t, http.StatusOK))
	require.False(t, removed.CredentialsSet)
	f.patch(t, site.ID, `{}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	f.patch(t, site.ID, map[string]any{"agentId": uuid.New()}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownAgent)
	f.patch(t, uuid.New(), `{"name":"x"}`).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)

	bot := f.create(t)
	before := len(f.methods())
	f.patch(t, bot.ID, `{"name":"Renamed"}`).Want(t, http.StatusOK)
	require.Len(t, f.methods(), before, "a name does not concern the provider")
	f.patch(t, bot.ID, `{"credentials":{"botToken":"another-token"}}`).Want(t, http.StatusOK)
	calls := f.telegram.Calls()
	require.Equal(t, "another-token", calls[len(calls)-1].Channel.Credentials["botToken"])
}

func TestDisabledChannelsAreNotCalled(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{Workers: true})
	bot := f.create(t)
	disabled := apitest.Decode[api.ChannelDetail](t, f.patch(t, bot.ID, `{"status":"DISABLED"}`).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusDISABLED, disabled.Status)
	require.Eventually(t, func() bool { return len(f.methods()) == 3 }, time.Minute, 5*time.Millisecond, "the hook is removed")
	checked := apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels/"+bot.ID.String()+"/check", nil).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusDISABLED, checked.Status)
	f.patch(t, bot.ID, `{"credentials":{"botToken":"another-token"}}`).Want(t, http.StatusOK)
	require.Equal(t, []string{"check", "connect", "disconnect"}, f.methods())
	enabled := apitest.Decode[api.ChannelDetail](t, f.patch(t, bot.ID, `{"status":"CONNECTED"}`).Want(t, http.StatusOK))
	require.Equal(t, api.ChannelStatusCONNECTED, enabled.Status)
	require.Equal(t, []string{"check", "connect", "disconnect", "check", "connect"}, f.methods())
}

func TestDeletedChannelsAreForgotten(t *testing.T) {
	t.Parallel()
	f := setupChannels(t, apitest.Options{Workers: true})
	bot := f.create(t)
	remove := func() apitest.Response {
		return f.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/channels/" + bot.ID.String(), Token: f.token})
	}
	remove().Want(t, http.StatusNoContent)
	remove().Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	f.Get(t, f.token, "/channels/"+bot.ID.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	f.patch(t, bot.ID, `{"name":"x"}`).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	f.Post(t, f.token, "/channels/"+bot.ID.String()+"/check", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	require.JSONEq(t, "[]", string(f.Get(t, f.token, "/channels").Want(t, http.StatusOK).Body))
	require.Eventually(t, func() bool {
		var forgotten bool
		require.NoError(t, f.DB.QueryRow(t.Context(), "SELECT credentials IS NULL FROM channels WHERE id = $1", bot.ID).Scan(&forgotten))
		return forgotten
	}, time.Minute, 5*time.Millisecond)
	calls := f.telegram.Calls()
	require.Equal(t, "disconnect", calls[2].Method)
	require.Equal(t, botToken, calls[2].Channel.Credentials["botToken"], "the provider is asked with the credentials")
}

// newPhone creates a channel of the type SMS, of the workspace's first agent.
func newPhone(t *testing.T, s *apitest.Server, token string) api.ChannelDetail {
	t.Helper()
	agent := apitest.Decode[[]api.Agent](t, s.Get(t, token, "/agents").Want(t, http.StatusOK))[0].ID
	return apitest.Decode[api.ChannelDetail](t, s.Post(t, token, "/channels", phoneBody(agent)).Want(t, http.StatusCreated))
}

// phoneBody is a request for a channel of the type SMS.
func phoneBody(agent uuid.UUID) map[string]any {
	return map[string]any{
		"type": "SMS", "name": "New", "agentId": agent, "credentials": map[string]string{"authToken": strings.Repeat("x", 32)},
		"config": map[string]any{"accountSid": "AC" + strings.Repeat("0f", 16), "from": "+48123456789"},
	}
}
