package httpapi_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/simulator"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/domain/channel/whatsapp"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/testing/apitest"
)

// templates is a server with a WhatsApp channel, whose provider is simulated, and with a
// conversation that was handed off.
type templates struct {
	*apitest.Server

	token        string
	simulated    *simulator.WhatsApp
	provider     *httptest.Server
	channel      api.ChannelDetail
	conversation uuid.UUID
}

func setupTemplates(t *testing.T) *templates {
	t.Helper()
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	t.Cleanup(client.CloseIdle)
	f := &templates{simulated: simulator.NewWhatsApp(), Server: apitest.New(t, apitest.Options{
		Workers: true, PublicURL: true, Providers: provider.NewRegistry(website.Provider{}, &whatsapp.Provider{Client: client}),
	})}
	f.provider = httptest.NewServer(f.simulated)
	t.Cleanup(f.provider.Close)
	f.token = f.Token(t, f.Workspace(t, "shop"))
	agent := apitest.Decode[api.AgentDetail](t, f.Post(t, f.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	settings := f.simulated.Settings()
	f.channel = apitest.Decode[api.ChannelDetail](t, f.Post(t, f.token, "/channels", map[string]any{
		"type": "WHATSAPP", "name": "Shop", "agentId": agent, "apiBaseUrl": f.provider.URL, "config": settings.Config, "credentials": settings.Credentials,
	}).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusCONNECTED, f.channel.Status, "%+v", f.channel.Error)
	f.write(t, "1", "Hello")
	f.conversation = apitest.Decode[[]api.Conversation](t, f.Get(t, f.token, "/conversations").Want(t, http.StatusOK))[0].ID
	f.Post(t, f.token, f.path("/hand-off"), `{}`).Want(t, http.StatusOK)
	return f
}

// write lets the contact write.
func (f *templates) write(t *testing.T, id, text string) {
	t.Helper()
	hook, err := f.simulated.Hook(*f.channel.HookURL, f.Clock.Now(), simulator.Event{Kind: simulator.Wrote, ID: id, From: "48100000001", Name: "Anna", Text: text})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), hook.Method, hook.URL, bytes.NewReader(hook.Body))
	require.NoError(t, err)
	request.Header = hook.Header
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func (f *templates) path(more string) string {
	return "/conversations/" + f.conversation.String() + more
}

func (f *templates) send(t *testing.T, body, key string) apitest.Response {
	t.Helper()
	request := apitest.Request{Method: http.MethodPost, Path: f.path("/template-message"), Token: f.token, Body: body}
	if key != "" {
		request.Header = map[string]string{"Idempotency-Key": key}
	}
	return f.Do(t, request)
}

// becomes waits for the delivery status of a message.
func (f *templates) becomes(t *testing.T, id uuid.UUID, status api.DeliveryStatus) api.MessageDetail {
	t.Helper()
	var message api.MessageDetail
	f.Clock.Advance(time.Second) // a channel sends a limited number of messages a second
	require.Eventually(t, func() bool {
		message = apitest.Decode[api.MessageDetail](t, f.Get(t, f.token, f.path("/messages/"+id.String())).Want(t, http.StatusOK))
		return message.DeliveryStatus == status
	}, 3*time.Minute, 10*time.Millisecond, "message is not %s", status)
	return message
}

const orderUpdate = `{"name":"order_update","language":"en","parameters":["Anna","7"]}`

// TestATemplateIsTheWayOutOfAClosedWindow: after a day, the contact can be sent templates
// alone, until they write again.
func TestATemplateIsTheWayOutOfAClosedWindow(t *testing.T) {
	t.Parallel()
	f := setupTemplates(t)
	policy := func() api.ReplyPolicy { return detail(t, f.Server, f.token, f.conversation).ReplyPolicy }
	require.False(t, policy().TemplateRequired)
	f.Clock.Advance(25 * time.Hour)
	require.True(t, policy().TemplateRequired)
	refused := f.Post(t, f.token, f.path("/operator-message"), `{"content":"Hi"}`).Problem(t, http.StatusConflict, api.ErrorCodeReplyWindowClosed)
	require.Contains(t, refused.Detail, "Send a template")
	f.simulated.Fail(simulator.WindowClosed) // it accepts templates then
	response := f.send(t, orderUpdate, "k").Want(t, http.StatusCreated)
	sent := apitest.Decode[api.Message](t, response)
	require.Equal(t, "Hello Anna, your order 7 is on its way. Thank you, Anna!", sent.Content)
	require.Equal(t, api.MessageAuthorTypeOPERATOR, sent.Author.Type)
	require.Equal(t, api.DeliveryStatusQUEUED, sent.DeliveryStatus)
	replayed := f.send(t, orderUpdate, "k").Want(t, http.StatusCreated)
	require.Equal(t, "true", replayed.Header.Get("Idempotent-Replayed"))
	require.Equal(t, string(response.Body), string(replayed.Body))
	f.becomes(t, sent.ID, api.DeliveryStatusSENT)
	accepted := f.simulated.Accepted()
	require.Len(t, accepted, 1)
	require.Equal(t, "order_update", accepted[0].Template)
	require.Equal(t, sent.Content, accepted[0].Text, "the contact sees what is stored")
	require.True(t, policy().TemplateRequired, "a template does not open the window")
	f.write(t, "2", "Thanks!")
	require.False(t, policy().TemplateRequired)
	require.True(t, policy().Open)
	named := apitest.Decode[api.Message](t, f.send(t, `{"name":"back_in_stock","language":"en","parameters":["Boots","Anna"]}`, "").Want(t, http.StatusCreated))
	require.Equal(t, "Boots is back, Anna.", named.Content)
	f.becomes(t, named.ID, api.DeliveryStatusSENT)
}

func TestTemplatesAreListedInPages(t *testing.T) {
	t.Parallel()
	f := setupTemplates(t)
	path := "/channels/" + f.channel.ID.String() + "/templates"
	var names []string
	for next, pages := path+"?limit=2", 0; next != ""; pages++ {
		require.Less(t, pages, 3)
		response := f.Get(t, f.token, next).Want(t, http.StatusOK)
		for _, one := range apitest.Decode[[]api.MessageTemplate](t, response) {
			names = append(names, one.Name+" "+one.Language)
		}
		next = ""
		if cursor := response.Header.Get("X-Next-Cursor"); cursor != "" {
			require.Contains(t, response.Header.Get("Link"), cursor)
			next = path + "?limit=2&cursor=" + cursor
		}
	}
	require.Equal(t, []string{"order_update en", "order_update pl", "back_in_stock en", "follow_up en", "new_collection en"}, names)
	first := apitest.Decode[[]api.MessageTemplate](t, f.Get(t, f.token, path+"?limit=1").Want(t, http.StatusOK))
	require.Equal(t, []api.MessageTemplate{{
		Name: "order_update", Language: "en", Category: "UTILITY", Status: "APPROVED", Body: "Hello {{1}}, your order {{2}} is on its way. Thank you, {{1}}!",
		ParameterCount: 2, Sendable: true,
	}}, first)
	f.Get(t, f.token, path+"?cursor=AAAA").Problem(t, http.StatusBadRequest, api.ErrorCodeInvalidCursor)
	f.Get(t, f.Token(t, f.Workspace(t, "other")), path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// TestATemplateIsNotStoredIfItCannotBeSent: what is wrong is known before it is queued.
func TestATemplateIsNotStoredIfItCannotBeSent(t *testing.T) {
	t.Parallel()
	f := setupTemplates(t)
	before := len(detail(t, f.Server, f.token, f.conversation).Messages)
	for body, code := range map[string]api.ErrorCode{
		`{"name":"order_update","language":"de","parameters":["Anna","7"]}`: api.ErrorCodeUnknownTemplate,
		`{"name":"free_money","language":"en"}`:                             api.ErrorCodeUnknownTemplate,
		`{"name":"order_update","language":"en"}`:                           api.ErrorCodeInvalidTemplateParameters,
		`{"name":"new_collection","language":"en"}`:                         api.ErrorCodeInvalidTemplateParameters,
	} {
		f.send(t, body, "").Problem(t, http.StatusUnprocessableEntity, code)
	}
	long := strings.Repeat("x", 1024)
	for _, body := range []string{`{"name":"Order","language":"en"}`, `{"name":"a","language":"en","parameters":[""]}`, `{"name":"a","language":"en","parameters":["` + long + `x"]}`} {
		f.send(t, body, "").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	f.Post(t, f.token, f.path("/close"), nil).Want(t, http.StatusOK)
	f.send(t, orderUpdate, "").Problem(t, http.StatusConflict, api.ErrorCodeConversationClosed)
	f.Post(t, f.token, f.path("/reopen"), nil).Want(t, http.StatusOK)
	f.send(t, orderUpdate, "").Problem(t, http.StatusConflict, api.ErrorCodeConversationNotHandedOff)
	f.Post(t, f.token, f.path("/hand-off"), `{}`).Want(t, http.StatusOK)
	f.Patch(t, f.token, "/channels/"+f.channel.ID.String(), `{"config":{"businessAccountId":null}}`).Want(t, http.StatusOK)
	f.Clock.Advance(25 * time.Hour)
	require.False(t, detail(t, f.Server, f.token, f.conversation).ReplyPolicy.TemplateRequired, "there are none")
	f.send(t, orderUpdate, "").Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeTemplatesUnavailable)
	f.Get(t, f.token, "/channels/"+f.channel.ID.String()+"/templates").Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeTemplatesUnavailable)
	require.Len(t, detail(t, f.Server, f.token, f.conversation).Messages, before)
}

// TestErrorsOfTheProviderOfTemplates: lists say what is wrong, and messages wait in the queue as
// others do.
func TestErrorsOfTheProviderOfTemplates(t *testing.T) {
	t.Parallel()
	f := setupTemplates(t)
	channel := "/channels/" + f.channel.ID.String()
	f.Patch(t, f.token, channel, `{"config":{"businessAccountId":"1"}}`).Want(t, http.StatusOK)
	refused := f.Get(t, f.token, channel+"/templates").Problem(t, http.StatusConflict, api.ErrorCodeRejectedByProvider)
	require.Contains(t, refused.Detail, "Unsupported request. (100/33)")
	unchecked := apitest.Decode[api.Message](t, f.send(t, orderUpdate, "").Want(t, http.StatusCreated))
	require.Equal(t, "order_update: Anna, 7", unchecked.Content)
	f.becomes(t, unchecked.ID, api.DeliveryStatusSENT)
	wrong := apitest.Decode[api.Message](t, f.send(t, `{"name":"order_update","language":"en"}`, "").Want(t, http.StatusCreated))
	failed := f.becomes(t, wrong.ID, api.DeliveryStatusFAILED)
	require.Equal(t, api.MessageErrorCodeRejectedByProvider, failed.Error.Code)
	require.Equal(t, "132000", *failed.Error.ProviderCode)

	const secret = "revoked-access-token-0123456789"
	f.Patch(t, f.token, channel, `{"credentials":{"accessToken":"`+secret+`"}}`).Want(t, http.StatusOK)
	f.Get(t, f.token, channel+"/templates").Problem(t, http.StatusConflict, api.ErrorCodeCredentialsRejected)
	f.provider.Close()
	response := f.Get(t, f.token, channel+"/templates")
	response.Problem(t, http.StatusConflict, api.ErrorCodeProviderUnavailable)
	require.NotEmpty(t, response.Header.Get("Retry-After"))
	waiting := apitest.Decode[api.Message](t, f.send(t, orderUpdate, "").Want(t, http.StatusCreated))
	require.Equal(t, api.DeliveryStatusQUEUED, waiting.DeliveryStatus)
	require.NotContains(t, f.LogText(), secret)
}
