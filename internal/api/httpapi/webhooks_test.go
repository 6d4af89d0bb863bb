package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/testing/apitest"
)

func subscription(url string, events ...api.EventType) map[string]any {
	return map[string]any{"type": "WEBHOOK", "url": url, "events": events}
}

func subscribe(t *testing.T, s *apitest.Server, token, url string, events ...api.EventType) api.WebhookCreated {
	t.Helper()
	response := s.Post(t, token, "/integrations/webhook", subscription(url, events...)).Want(t, http.StatusCreated)
	return apitest.Decode[api.WebhookCreated](t, response)
}

func TestCreateWebhookReturnsSecretOnce(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	request := apitest.Request{
		Method: http.MethodPost, Path: "/integrations/webhook", Token: token, Header: map[string]string{"Idempotency-Key": "k"},
		Body: `{"type":"WEBHOOK","url":"https://hooks.example.com/avelto","events":["lead.created","conversation.closed","lead.created"]}`,
	}
	response := s.Do(t, request).Want(t, http.StatusCreated)
	created := apitest.Decode[api.WebhookCreated](t, response)
	require.Regexp(t, `^wh_[0-9a-f]{48}$`, *created.SigningSecret)
	require.Equal(t, []api.EventType{api.EventTypeLeadCreated, api.EventTypeConversationClosed}, created.Events)
	require.Equal(t, api.IntegrationStatusCONNECTED, created.Status)
	require.Equal(t, "/api/v1/integrations/"+created.ID.String(), response.Header.Get("Location"))

	replay := s.Do(t, request).Want(t, http.StatusCreated)
	require.Equal(t, "true", replay.Header.Get("Idempotent-Replayed"))
	require.NotContains(t, string(replay.Body), "signingSecret")
	require.NotContains(t, string(replay.Body), "standardWebhooksSecret")
	require.Equal(t, created.ID, apitest.Decode[api.WebhookCreated](t, replay).ID)

	for _, path := range []string{"/integrations", "/integrations/" + created.ID.String()} {
		require.NotContains(t, string(s.Get(t, token, path).Want(t, http.StatusOK).Body), *created.SigningSecret)
	}
	require.NotContains(t, s.LogText(), *created.SigningSecret)
	var everything string
	require.NoError(t, s.DB.QueryRow(t.Context(), `
		SELECT (SELECT string_agg(i::text, '') FROM integrations AS i) || (SELECT string_agg(convert_from(body, 'UTF8'), '') FROM idempotency_keys)`).Scan(&everything))
	require.NotContains(t, everything, *created.SigningSecret, "it is stored encrypted alone")
	require.NotContains(t, everything, fmt.Sprintf("%x", *created.SigningSecret))
	require.NotContains(t, everything, *created.StandardWebhooksSecret)
}

func TestCreateWebhookRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	refused := s.Post(t, token, "/integrations/webhook", subscription("https://hooks.example.com", "lead.created", "lead.invented")).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownEvent)
	require.Len(t, *refused.Errors, 1)
	require.Equal(t, "body.events.1", (*refused.Errors)[0].Location)
	for event := range s.Document.Events {
		require.Contains(t, (*refused.Errors)[0].Message, string(event), "the known ones are listed")
	}
	for _, url := range []string{
		"http://127.0.0.1:9999/x", "http://localhost/x", "https://localhost/x", "https://127.0.0.1/x", "https://10.0.0.1",
		"https://169.254.169.254/latest", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/",
		"https://user:password@hooks.example.com", "https://hooks.example.com/#x", "https://hooks.example.com:0/", "https://224.0.0.1/", "https://:443/",
	} {
		s.Post(t, token, "/integrations/webhook", subscription(url, "lead.created")).
			Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeInvalidWebhookURL)
	}
	for _, body := range []string{
		`{"type":"CRM","url":"https://x.example","events":["lead.created"]}`, `{"type":"WEBHOOK","url":"ftp://x.example","events":["lead.created"]}`,
		`{"type":"WEBHOOK","url":"http://hooks.example.com","events":["lead.created"]}`, `{"type":"WEBHOOK","url":"http://localhost.example.com","events":["lead.created"]}`,
		`{"type":"WEBHOOK","url":"http://10.0.0.1/","events":["lead.created"]}`,
		`{"type":"WEBHOOK","url":"https://x.example","events":[]}`, `{"type":"WEBHOOK","events":["lead.created"]}`,
	} {
		s.Post(t, token, "/integrations/webhook", body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	require.JSONEq(t, "[]", string(s.Get(t, token, "/integrations").Want(t, http.StatusOK).Body))
}

func TestWebhookEventsRequireTheirScope(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	all, leads := s.Token(t, space), s.Token(t, space, api.ScopeLeadsRead)
	for event, scope := range s.Document.Events {
		response := s.Post(t, leads, "/integrations/webhook", subscription("https://hooks.example.com", event))
		if scope == "" || scope == api.ScopeLeadsRead {
			response.Want(t, http.StatusCreated)
			continue
		}
		require.Equal(t, &scope, response.Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope).MissingScope)
	}
	hook := subscribe(t, s, all, "https://hooks.example.com", "conversation.closed")
	path := "/integrations/" + hook.ID.String()
	// Nor may it change or enable a webhook that another token created.
	for _, body := range []string{`{"url":"https://mine.example.com"}`, `{"events":["message.created"]}`, `{"status":"CONNECTED"}`} {
		s.Patch(t, leads, path, body).Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	}
	// Nor may it silence the webhook by changing its events to others.
	s.Patch(t, leads, path, `{"events":["lead.created"]}`).Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	s.Patch(t, all, path, `{"events":["lead.created"]}`).Want(t, http.StatusOK)
	s.Patch(t, leads, path, `{"events":["lead.updated"]}`).Want(t, http.StatusOK)
}

// TestWebhookCannotBeTakenOverWithoutScopes walks the operations that could redirect,
// reveal, replay or silence a webhook.
func TestWebhookCannotBeTakenOverWithoutScopes(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	space := s.Workspace(t, "acme")
	all := s.Token(t, space)
	hook := subscribe(t, s, all, apitest.NewReceiver(t, nil).URL, "lead.created", "conversation.closed")
	s.Post(t, all, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	path := "/integrations/" + hook.ID.String()
	delivery := apitest.Decode[[]deliveryShown](t, s.Get(t, all, path+"/deliveries").Want(t, http.StatusOK))[0]
	requests := []apitest.Request{
		{Method: http.MethodPatch, Path: path, Body: `{"status":"DISABLED"}`},
		{Method: http.MethodPost, Path: path + "/rotate-secret"},
		{Method: http.MethodPost, Path: path + "/test"},
		{Method: http.MethodGet, Path: path + "/deliveries"},
		{Method: http.MethodPost, Path: path + "/deliveries/" + delivery.ID.String() + "/redeliver"},
		{Method: http.MethodDelete, Path: path},
	}
	for _, missing := range []api.Scope{api.ScopeLeadsRead, api.ScopeConversationsRead} {
		scopes := slices.DeleteFunc(slices.Clone(s.Document.Scopes), func(scope api.Scope) bool { return scope == missing })
		some := s.Token(t, space, scopes...)
		for _, r := range requests {
			r.Token = some
			require.Equal(t, &missing, s.Do(t, r).Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope).MissingScope, "%s %s", r.Method, r.Path)
		}
	}
	require.Equal(t, api.IntegrationStatusCONNECTED, apitest.Decode[api.Integration](t, s.Get(t, all, path).Want(t, http.StatusOK)).Status)
	for _, r := range requests {
		r.Token = s.Token(t, space, api.ScopeLeadsRead, api.ScopeConversationsRead)
		require.Less(t, s.Do(t, r).Status, 300, "%s %s", r.Method, r.Path)
	}
}

// TestRedeliveryNeedsTheScopeOfItsEvent changes the events of a webhook after it has
// received another one.
func TestRedeliveryNeedsTheScopeOfItsEvent(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	all := s.Token(t, space)
	path := "/integrations/" + subscribe(t, s, all, "https://hooks.example.com", "lead.created").ID.String()
	s.Post(t, all, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	delivery := apitest.Decode[[]deliveryShown](t, s.Get(t, all, path+"/deliveries").Want(t, http.StatusOK))[0]
	s.Patch(t, all, path, `{"events":["conversation.closed"]}`).Want(t, http.StatusOK)
	conversations := s.Token(t, space, api.ScopeConversationsRead)
	refused := s.Post(t, conversations, path+"/deliveries/"+delivery.ID.String()+"/redeliver", nil).Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	require.Equal(t, api.ScopeLeadsRead, *refused.MissingScope)
}

func TestAuditNamesTheTokenThatChangedAWebhook(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	secret := s.TokenWith(t, token.NewToken{WorkspaceID: space, Name: "CRM sync", Scopes: s.Document.Scopes})
	hook := subscribe(t, s, secret, "https://hooks.example.com", "lead.created")
	s.Post(t, secret, "/integrations/"+hook.ID.String()+"/rotate-secret", nil).Want(t, http.StatusOK)
	var actors []string
	require.Eventually(t, func() bool {
		rows, err := s.DB.Query(t.Context(), "SELECT actor_name || ' ' || action || ' ' || target FROM audit_entries ORDER BY id")
		require.NoError(t, err)
		actors, err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return len(actors) == 2
	}, 10*time.Second, 10*time.Millisecond)
	actor := "CRM sync (convo_…" + secret[len(secret)-4:] + ")"
	path := "/api/v1/integrations/" + hook.ID.String()
	require.Equal(t, []string{actor + " createWebhook " + path, actor + " rotateIntegrationSecret " + path + "/rotate-secret"}, actors)
}

func TestUpdateAndDeleteWebhook(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	hook := subscribe(t, s, token, "https://hooks.example.com", "lead.created")
	path := "/integrations/" + hook.ID.String()
	s.Clock.Advance(time.Minute)
	changed := apitest.Decode[api.Integration](t, s.Patch(t, token, path, `{"url":"https://b.example.com/x","events":["lead.updated"],"status":"DISABLED"}`).Want(t, http.StatusOK))
	require.Equal(t, "https://b.example.com/x", *changed.URL)
	require.Equal(t, []api.EventType{api.EventTypeLeadUpdated}, *changed.Events)
	require.Equal(t, api.IntegrationStatusDISABLED, changed.Status)
	require.Equal(t, changed, apitest.Decode[api.Integration](t, s.Get(t, token, path).Want(t, http.StatusOK)))
	s.Patch(t, token, path, `{"url":"https://127.0.0.1"}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeInvalidWebhookURL)
	s.Patch(t, token, path, `{"events":["nothing"]}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownEvent)
	s.Patch(t, token, path, `{}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Delete(t, token, path).Want(t, http.StatusNoContent)
	s.Get(t, token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Patch(t, token, path, `{"status":"CONNECTED"}`).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

func TestOtherIntegrationTypesAreReadOnly(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	integrations := apitest.Decode[[]api.Integration](t, s.Get(t, rich.Token, "/integrations").Want(t, http.StatusOK))
	at := slices.IndexFunc(integrations, func(i api.Integration) bool { return i.Type == api.IntegrationTypeCRM })
	require.NotEqual(t, -1, at)
	path := "/integrations/" + integrations[at].ID.String()
	s.Patch(t, rich.Token, path, `{"url":"https://x.example"}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeNotAWebhook)
	s.Patch(t, rich.Token, path, `{"status":"DISABLED"}`).Want(t, http.StatusOK)
	s.Post(t, rich.Token, path+"/test", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Post(t, rich.Token, path+"/rotate-secret", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Get(t, rich.Token, path+"/deliveries").Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Delete(t, rich.Token, path).Want(t, http.StatusNoContent)
}

// TestEveryChangeCreatesOneEvent makes every change that endpoints can make, and compares
// the deliveries and the event feed with the expected events.
func TestEveryChangeCreatesOneEvent(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	rich, other := s.Demo(t)
	receiver := apitest.NewReceiver(t, nil)
	all := make([]api.EventType, 0, len(s.Document.Events))
	for event := range s.Document.Events {
		all = append(all, event)
	}
	hook := subscribe(t, s, rich.Token, receiver.URL, all...)
	foreign := apitest.NewReceiver(t, nil)
	subscribe(t, s, other.Token, foreign.URL, all...)

	want := changeEverything(t, s, rich)
	received := receiver.WaitFor(t, len(want))
	slices.SortFunc(received, func(a, b apitest.Received) int { return int(a.Sequence - b.Sequence) })
	require.Len(t, received, len(want))
	for i, one := range received {
		require.Equal(t, want[i], api.EventType(one.Type), "event %d", i)
		require.Equal(t, int64(i+1), one.Sequence)
		require.Equal(t, rich.ID, one.WorkspaceID)
		one.VerifySignatures(t, *hook.SigningSecret)
	}
	polled := s.Get(t, rich.Token, "/events").Want(t, http.StatusOK)
	require.Equal(t, strconv.Itoa(len(want)), polled.Header.Get("X-Latest-Sequence"))
	for i, one := range apitest.Decode[[]json.RawMessage](t, polled) {
		require.Equal(t, string(received[i].Body), string(one), "polled and pushed are the same bytes")
	}
	require.Empty(t, foreign.All(), "another workspace receives nothing")
	require.JSONEq(t, "[]", string(s.Get(t, other.Token, "/events").Want(t, http.StatusOK).Body))
}

// changeEverything makes every change and returns the expected events in order.
func changeEverything(t *testing.T, s *apitest.Server, in apitest.Space) []api.EventType {
	t.Helper()
	lead := apitest.Decode[api.Lead](t, s.Post(t, in.Token, "/leads", `{"fields":{"name":"Anna \"Ann\" Nowak🦊"},"source":"form"}`).Want(t, http.StatusCreated))
	path := "/leads/" + lead.ID.String()
	s.Patch(t, in.Token, path, `{"score":7}`).Want(t, http.StatusOK)
	s.Patch(t, in.Token, path, `{"score":7}`).Want(t, http.StatusOK) // changes nothing
	s.Patch(t, in.Token, path+"/status", `{"status":"WON"}`).Want(t, http.StatusOK)
	s.Patch(t, in.Token, path+"/status", `{"status":"WON"}`).Want(t, http.StatusOK)                // nor does this
	s.Patch(t, in.Token, path, `{"fields":{"name":null}}`).Want(t, http.StatusUnprocessableEntity) // refused, after the row was changed
	s.Post(t, in.Token, "/leads", `{"fields":{"name":1}}`).Want(t, http.StatusBadRequest)          // refused
	// Sent later than the test ends, which would be one more event at any time.
	s.Exec(t, "UPDATE channels SET next_send_at = '2100-01-01' WHERE workspace_id = $1", in.ID)
	handed := s.Conversation(t, in, api.ConversationStatusHANDEDOFF)                                               //
	s.Post(t, in.Token, "/conversations/"+handed.ID.String()+"/operator-message", `{"content":"Hi"}`).Want(t, 201) //
	operator := apitest.First[api.Operator](t, s, in, "/operators")
	tag := apitest.Decode[api.Tag](t, s.Post(t, in.Token, "/tags", `{"name":"fresh"}`).Want(t, http.StatusCreated))
	open := s.Conversation(t, in, api.ConversationStatusOPEN)
	bulk := func(more string) {
		body := fmt.Sprintf(`{"ids":[%q,%q],%s}`, open.ID, uuid.New(), more)
		s.Post(t, in.Token, "/conversations/bulk", body).Want(t, http.StatusOK)
		s.Post(t, in.Token, "/conversations/bulk", body).Want(t, http.StatusOK) // the second time nothing changes
	}
	bulk(fmt.Sprintf(`"action":"assign","operatorId":%q`, operator.ID))
	bulk(`"action":"assign","operatorId":null`)
	bulk(fmt.Sprintf(`"action":"tag","tagIds":[%q]`, tag.ID))
	bulk(fmt.Sprintf(`"action":"untag","tagIds":[%q]`, tag.ID))
	bulk(`"action":"close"`)
	bulk(`"action":"reopen"`)
	return []api.EventType{
		api.EventTypeLeadCreated, api.EventTypeLeadUpdated, api.EventTypeLeadStatusChanged, api.EventTypeMessageCreated,
		api.EventTypeConversationAssigned, api.EventTypeConversationAssigned, api.EventTypeConversationTagsChanged,
		api.EventTypeConversationTagsChanged, api.EventTypeConversationClosed, api.EventTypeConversationReopened,
	}
}

func TestEventFeedContinuesAfterSequence(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	changeEverything(t, s, rich)
	s.Sequence(t)
	var numbers []int64
	path := "/events?limit=3"
	for path != "" {
		response := s.Get(t, rich.Token, path).Want(t, http.StatusOK)
		for _, one := range apitest.Decode[[]apitest.Received](t, response) {
			numbers = append(numbers, one.Sequence)
		}
		_, path, _ = strings.Cut(response.Header.Get("Link"), "/api/v1")
		path, _, _ = strings.Cut(path, ">")
	}
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, numbers)

	leads := s.Token(t, rich.ID, api.ScopeLeadsRead)
	for _, one := range apitest.Decode[[]apitest.Received](t, s.Get(t, leads, "/events?after=0").Want(t, http.StatusOK)) {
		require.True(t, strings.HasPrefix(one.Type, "lead."), "a token reads by polling what it reads by request, no more: %s", one.Type)
	}
	require.JSONEq(t, "[]", string(s.Get(t, s.Token(t, rich.ID, api.ScopeAnalyticsRead), "/events").Want(t, http.StatusOK).Body))
	s.Get(t, leads, "/events?after=-1").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func TestRolledBackChangeCreatesNoEvent(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	subscribe(t, s, token, "https://hooks.example.com", "lead.created")
	tx, err := s.DB.Pool().Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO event_outbox (workspace_id, id, type, data, occurred_at) SELECT id, gen_random_uuid(), 'lead.created', '{}', now() FROM workspaces")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	s.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	var events, deliveries, latest int64
	require.NoError(t, s.DB.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM webhook_deliveries), (SELECT latest FROM event_counters)`).Scan(&events, &deliveries, &latest))
	require.Equal(t, []int64{1, 1, 1}, []int64{events, deliveries, latest})
}

func TestTestIntegrationReturnsAttempt(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	token := s.Token(t, s.Workspace(t, "acme"))
	receiver := apitest.NewReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = w.Write([]byte("thanks\x00\xff" + strings.Repeat("x", 4000)))
	})
	hook := subscribe(t, s, token, receiver.URL, "webhook.ping")
	path := "/integrations/" + hook.ID.String()
	for _, status := range []int32{200, 418} {
		attempt := apitest.Decode[api.WebhookAttempt](t, s.Post(t, token, path+"/test", nil).Want(t, http.StatusOK))
		require.Equal(t, status, *attempt.ResponseStatus)
		require.Equal(t, "thanks\uFFFD\uFFFD"+strings.Repeat("x", 1016), *attempt.ResponseBody)
		require.Nil(t, attempt.Error)
	}
	received := receiver.All()
	require.Len(t, received, 2, "a ping that fails is not repeated")
	received[0].VerifySignatures(t, *hook.SigningSecret)
	deliveries := apitest.Decode[[]deliveryShown](t, s.Get(t, token, path+"/deliveries").Want(t, http.StatusOK))
	require.Len(t, deliveries, 2)
	require.ElementsMatch(t, []api.WebhookDeliveryStatus{"SUCCEEDED", "FAILED"}, []api.WebhookDeliveryStatus{deliveries[0].Status, deliveries[1].Status})
}

type deliveryShown struct {
	ID     uuid.UUID                 `json:"id"`
	Status api.WebhookDeliveryStatus `json:"status"`
}

func deliveries(t *testing.T, s *apitest.Server, token string, hook uuid.UUID) []deliveryShown {
	t.Helper()
	return apitest.Decode[[]deliveryShown](t, s.Get(t, token, "/integrations/"+hook.String()+"/deliveries").Want(t, http.StatusOK))
}

func TestRotatedSecretSignsUntilOverlapEnds(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	token := s.Token(t, s.Workspace(t, "acme"))
	receiver := apitest.NewReceiver(t, nil)
	hook := subscribe(t, s, token, receiver.URL, "lead.created")
	path := "/integrations/" + hook.ID.String()
	last := func() apitest.Received {
		before := len(receiver.All())
		s.Post(t, token, path+"/test", nil).Want(t, http.StatusOK)
		return receiver.WaitFor(t, before+1)[before]
	}
	rotate := func(body any) api.SecretRotated {
		return apitest.Decode[api.SecretRotated](t, s.Post(t, token, path+"/rotate-secret", body).Want(t, http.StatusOK))
	}
	second := rotate(`{}`)
	require.Equal(t, s.Clock.Now().Add(24*time.Hour), second.PreviousSecretExpiresAt.Time)
	last().VerifySignatures(t, *second.SigningSecret, *hook.SigningSecret)
	s.Clock.Advance(24 * time.Hour)
	last().VerifySignatures(t, *second.SigningSecret)
	third := rotate(`{"overlapHours":0}`)
	require.Nil(t, third.PreviousSecretExpiresAt)
	last().VerifySignatures(t, *third.SigningSecret)
	s.Post(t, token, path+"/rotate-secret", `{"overlapHours":169}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	replayed := apitest.Request{Method: http.MethodPost, Path: path + "/rotate-secret", Token: token, Header: map[string]string{"Idempotency-Key": "r"}}
	require.Contains(t, string(s.Do(t, replayed).Want(t, http.StatusOK).Body), "signingSecret")
	require.NotContains(t, string(s.Do(t, replayed).Want(t, http.StatusOK).Body), "signingSecret")
}

func TestTemporaryWebhookReceivesNoDeliveries(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	response := s.Post(t, token, "/integrations/webhook", `{"type":"WEBHOOK","url":"http://localhost:3000/hook","events":["lead.created"],"temporary":true}`)
	hook := apitest.Decode[api.WebhookCreated](t, response.Want(t, http.StatusCreated))
	require.True(t, *hook.Temporary)
	s.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	require.Empty(t, deliveries(t, s, token, hook.ID))
	require.Len(t, apitest.Decode[[]apitest.Received](t, s.Get(t, token, "/events").Want(t, http.StatusOK)), 1)
	attempt := apitest.Decode[api.WebhookAttempt](t, s.Post(t, token, "/integrations/"+hook.ID.String()+"/test", nil).Want(t, http.StatusOK))
	require.Contains(t, *attempt.Error, "temporary")
}

func TestWebhookDeletedDuringItsTestIsNotFound(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true})
	token := s.Token(t, s.Workspace(t, "acme"))
	var webhook string
	receiver := apitest.NewReceiver(t, func(int, http.ResponseWriter, *http.Request) {
		s.Delete(t, token, webhook)
	})
	webhook = "/integrations/" + subscribe(t, s, token, receiver.URL, api.EventTypeLeadCreated).ID.String()
	s.Post(t, token, webhook+"/test", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Get(t, token, webhook).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// TestURLSchemesAreCaseInsensitive follows RFC 3986, section 3.1.
func TestURLSchemesAreCaseInsensitive(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	subscribe(t, s, token, "HTTPS://hooks.example.com/x", "lead.created")
	s.Post(t, token, "/knowledge/crawl", `{"url":"HTTPS://docs.example.com"}`).Want(t, http.StatusAccepted)
	s.Post(t, token, "/knowledge/crawl", `{"url":"FTP://docs.example.com"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

// TestAWorkspaceHasAtMost100Webhooks creates more concurrently.
func TestAWorkspaceHasAtMost100Webhooks(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	const tries = 120
	responses := make(chan apitest.Response, tries)
	for range tries {
		go func() {
			responses <- s.Post(t, token, "/integrations/webhook", subscription("https://hooks.example.com", "lead.created"))
		}()
	}
	created := 0
	for range tries {
		response := <-responses
		if response.Status == http.StatusCreated {
			created++
			continue
		}
		response.Problem(t, http.StatusConflict, api.ErrorCodeTooManyWebhooks)
	}
	require.Equal(t, 100, created)
	subscribe(t, s, s.Token(t, s.Workspace(t, "other")), "https://hooks.example.com", "lead.created")

	rows := apitest.Decode[[]api.Integration](t, s.Get(t, token, "/integrations?limit=1").Want(t, http.StatusOK))
	s.Delete(t, token, "/integrations/"+rows[0].ID.String()).Want(t, http.StatusNoContent)
	temporary := `{"type":"WEBHOOK","url":"http://localhost:1","events":["lead.created"],"temporary":true}`
	s.Post(t, token, "/integrations/webhook", temporary).Want(t, http.StatusCreated)
	s.Post(t, token, "/integrations/webhook", temporary).Problem(t, http.StatusConflict, api.ErrorCodeTooManyWebhooks)
	s.Clock.Advance(25 * time.Hour)
	subscribe(t, s, token, "https://hooks.example.com", "lead.created")
}

// TestTestsOfHangingWebhooksAreBounded keeps five of them waiting.
func TestTestsOfHangingWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Workers: true, Config: apitest.Config{WebhookTimeout: time.Minute}})
	token, other := s.Token(t, s.Workspace(t, "acme")), s.Token(t, s.Workspace(t, "other"))
	hangs := make(chan struct{})
	release := sync.OnceFunc(func() { close(hangs) })
	slow := apitest.NewReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-hangs })
	t.Cleanup(release)
	path := "/integrations/" + subscribe(t, s, token, slow.URL, "lead.created").ID.String() + "/test"
	responses := make(chan apitest.Response)
	for range 5 {
		go func() { responses <- s.Post(t, token, path, nil) }()
	}
	slow.WaitFor(t, 5)
	refused := s.Post(t, token, path, nil)
	refused.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	require.Equal(t, "1", refused.Header.Get("Retry-After"))
	require.Len(t, slow.All(), 5)
	healthy := subscribe(t, s, other, apitest.NewReceiver(t, nil).URL, "lead.created")
	s.Post(t, other, "/integrations/"+healthy.ID.String()+"/test", nil).Want(t, http.StatusOK)
	release()
	for range 5 {
		(<-responses).Want(t, http.StatusOK)
	}
	s.Post(t, token, path, nil).Want(t, http.StatusOK)
}
