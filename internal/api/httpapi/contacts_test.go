package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// secretWord is in everything that the person of these tests wrote or is known by.
const secretWord = "Grzegrzółka"

// person is a contact with a history, in a workspace without anything else.
type person struct {
	*apitest.Server

	space                 uuid.UUID
	token                 string
	channel               db.Channel
	conversation, contact uuid.UUID
	attachment            uuid.UUID
}

// inbound stores a message as the engine of channels does.
func (p *person) inbound(t *testing.T, in conversation.Inbound) conversation.Received {
	t.Helper()
	service := &conversation.Service{
		DB: p.DB, IDs: p.IDs, Clock: p.Clock, Events: &event.Recorder{IDs: p.IDs, Encode: representation.EncodeEvent},
		Providers: channeltest.Registry(), Addresses: conversation.NewAddresses(apitest.Key),
	}
	var stored conversation.Received
	require.NoError(t, postgres.WithTx(t.Context(), p.DB, func(ctx context.Context, tx postgres.Tx) (err error) {
		stored, err = service.Receive(ctx, tx, p.channel, provider.Rules{}, in)
		return err
	}))
	return stored
}

func setupPerson(t *testing.T, options apitest.Options) *person {
	t.Helper()
	options.Providers = channeltest.Registry()
	p := &person{Server: apitest.New(t, options)}
	p.space = p.Workspace(t, "acme")
	p.token = p.Token(t, p.space)
	agent := apitest.Decode[api.AgentDetail](t, p.Post(t, p.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	created := apitest.Decode[api.ChannelDetail](t, p.Post(t, p.token, "/channels", phoneBody(agent)).Want(t, http.StatusCreated))
	p.Exec(t, "UPDATE channels SET credentials = NULL WHERE id = $1", created.ID) // so that messages wait
	row, err := db.New().ChannelGet(t.Context(), p.DB, db.ChannelGetParams{WorkspaceID: p.space, ID: created.ID})
	require.NoError(t, err)
	p.channel = row
	require.NoError(t, os.WriteFile(filepath.Join(p.Storage, "person"), []byte(secretWord), 0o600))
	stored := p.inbound(t, conversation.Inbound{BlobKeys: []string{"person"}, Message: provider.Message{
		ExternalID: "m1", Text: "I am " + secretWord, Subject: "About " + secretWord,
		From:        provider.Identity{ExternalID: "+48600", Name: secretWord, Email: "Anna@Example.com", Phone: "+48600"},
		Attachments: []provider.Attachment{{Type: provider.Other, Name: secretWord + ".txt", ContentType: "text/plain", Content: []byte(secretWord)}},
	}})
	p.conversation, p.contact, p.attachment = stored.Conversation.ID, stored.Conversation.ContactID, stored.Attachments[0].ID
	return p
}

func (p *person) path(suffix string) string { return "/contacts/" + p.contact.String() + suffix }

func TestContactsAreListedByFilter(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	list := func(query string) []api.ContactProfile {
		return apitest.Decode[[]api.ContactProfile](t, p.Get(t, p.token, "/contacts"+query).Want(t, http.StatusOK))
	}
	for query, found := range map[string]int{
		"": 1, "?email=anna@example.COM": 1, "?email=other@example.com": 0, "?phone=%2B48600": 1, "?phone=%2B48": 0, "?q=grzeg": 1, "?q=%25": 0, "?q=_": 0,
		"?q=grzeg&phone=%2B48600": 1, "?q=grzeg&phone=%2B1": 0,
	} {
		require.Len(t, list(query), found, query)
	}
	p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: "m2", Text: "Hi", From: provider.Identity{ExternalID: "+48700"}}})
	require.Len(t, walkPages(t, p.Server, p.token, "/contacts", 1), 2)
	p.Get(t, p.token, "/contacts?q=").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	empty := p.Token(t, p.Workspace(t, "empty"))
	require.JSONEq(t, "[]", string(p.Get(t, empty, "/contacts?q=grzeg").Want(t, http.StatusOK).Body))
}

func TestUpdateContact(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	patch := func(body any) apitest.Response {
		return p.Do(t, apitest.Request{Method: http.MethodPatch, Path: p.path(""), Token: p.token, Body: body})
	}
	found := apitest.Decode[api.ContactDetail](t, p.Get(t, p.token, p.path("")).Want(t, http.StatusOK))
	require.Equal(t, "+48600", found.Identities[0].ExternalID)
	p.Clock.Advance(time.Minute)
	updated := apitest.Decode[api.ContactDetail](t, patch(`{"name":" Anna ","phone":null}`).Want(t, http.StatusOK))
	require.Equal(t, "Anna", *updated.Name)
	require.Nil(t, updated.Phone)
	require.Equal(t, found.Email, updated.Email)
	require.Equal(t, found.Identities, updated.Identities)
	require.Equal(t, p.Clock.Now(), updated.UpdatedAt.Time)
	again := apitest.Decode[api.ContactDetail](t, patch(`{"name":"Anna"}`).Want(t, http.StatusOK))
	require.Equal(t, updated, again)
	require.Equal(t, []api.EventType{api.EventTypeContactUpdated}, p.eventTypes(t)[3:], "no change, no event")
	for _, body := range []string{`{}`, `{"name":""}`, `{"email":"no address"}`, `{"phone":"abc"}`, `{"other":1}`} {
		patch(body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

// eventTypes returns the events in their order.
func (p *person) eventTypes(t *testing.T) (all []api.EventType) {
	t.Helper()
	p.Sequence(t)
	for _, one := range apitest.Decode[[]struct{ Type api.EventType }](t, p.Get(t, p.token, "/events").Want(t, http.StatusOK)) {
		all = append(all, one.Type)
	}
	return all
}

// mentions counts the rows of a table that contain the word.
func (p *person) mentions(t *testing.T, table string) (n int) {
	t.Helper()
	require.NoError(t, p.DB.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" AS r WHERE strpos(to_jsonb(r)::text, $1) > 0", secretWord).Scan(&n))
	return n
}

func (p *person) lead(t *testing.T) uuid.UUID {
	t.Helper()
	leadID, now := p.IDs.New()
	p.Exec(t, `WITH created AS (
			INSERT INTO leads (workspace_id, id, status, fields, conversation_id, created_at, updated_at) VALUES ($1, $2, 'NEW', $3, $4, $5, $5) RETURNING *
		) SELECT count_lead(workspace_id, conversation_id, created_at, status, 1) FROM created`,
		p.space, leadID, fmt.Sprintf(`{"name":%q}`, secretWord), p.conversation, now)
	return leadID
}

// TestDeleteContactErasesThePerson looks for the person in every table, in the storage and in
// the API afterwards.
func TestDeleteContactErasesThePerson(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{Workers: true})
	leadID := p.lead(t)
	p.Post(t, p.token, "/conversations/"+p.conversation.String()+"/hand-off", map[string]string{"reason": "Asked for " + secretWord}).Want(t, http.StatusOK)
	p.Post(t, p.token, "/conversations/"+p.conversation.String()+"/operator-message", map[string]string{"content": "Dear " + secretWord}).Want(t, http.StatusCreated)
	p.Sequence(t)
	before := detail(t, p.Server, p.token, p.conversation)
	tables := []string{"contacts", "contact_identities", "conversations", "messages", "attachments", "leads", "events", "event_outbox", "outbound_messages"}
	for _, table := range []string{"contacts", "conversations", "messages", "attachments", "leads", "events"} {
		require.Positive(t, p.mentions(t, table), table)
	}
	remove := func() apitest.Response {
		return p.Do(t, apitest.Request{Method: http.MethodDelete, Path: p.path(""), Token: p.token})
	}
	p.Clock.Advance(time.Minute)
	remove().Want(t, http.StatusNoContent)
	remove().Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	p.Get(t, p.token, p.path("")).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	p.Get(t, p.token, p.path("/export")).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	p.Get(t, p.token, "/leads/"+leadID.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	p.Get(t, p.token, "/attachments/"+p.attachment.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	require.JSONEq(t, "[]", string(p.Get(t, p.token, "/contacts").Want(t, http.StatusOK).Body))

	after := detail(t, p.Server, p.token, p.conversation)
	require.Equal(t, before.Status, after.Status)
	require.Equal(t, api.Contact{ID: p.contact}, after.Contact)
	require.Nil(t, after.Subject)
	require.Equal(t, api.ReplyPolicyReasonNORECIPIENT, *after.ReplyPolicy.Reason)
	require.Len(t, after.Messages, len(before.Messages), "the conversation and its counts stay")
	for _, message := range after.Messages {
		require.Empty(t, message.Content)
		require.Equal(t, p.Clock.Now(), message.RedactedAt.Time)
		require.Nil(t, message.Attachments)
	}
	at := slices.IndexFunc(after.Messages, func(m api.Message) bool { return m.Role == api.MessageRoleASSISTANT })
	require.Equal(t, api.DeliveryStatusFAILED, after.Messages[at].DeliveryStatus)
	require.Equal(t, api.MessageErrorCodeContactDeleted, after.Messages[at].Error.Code)
	require.Subset(t, p.eventTypes(t), []api.EventType{api.EventTypeLeadDeleted, api.EventTypeContactDeleted})

	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(p.Storage, "person"))
		return os.IsNotExist(err) && p.mentions(t, "events") == 0 && p.mentions(t, "attachments") == 0
	}, time.Minute, 10*time.Millisecond, "files and events are erased by a job")
	for _, table := range tables {
		require.Zero(t, p.mentions(t, table), table)
	}
	p.Get(t, p.token, "/events").Want(t, http.StatusOK) // still as documented

	// What the provider delivers again does not come back, and a new message begins a new conversation.
	again := p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: "m1", Text: secretWord, From: provider.Identity{ExternalID: "+48600"}}})
	require.True(t, again.Duplicate)
	fresh := p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: "m9", Text: "Hello", From: provider.Identity{ExternalID: "+48600"}}})
	require.NotEqual(t, p.contact, fresh.Conversation.ContactID)
}

func TestExportContact(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	leadID := p.lead(t)
	p.Exec(t, "UPDATE conversations SET summary = 'Wants boots.' WHERE id = $1", p.conversation)
	export := apitest.Decode[api.ContactExport](t, p.Get(t, p.token, p.path("/export")).Want(t, http.StatusOK))
	require.Equal(t, p.contact, export.Contact.ID)
	require.Len(t, export.Contact.Identities, 1)
	require.Len(t, export.Conversations, 1)
	require.Equal(t, "About "+secretWord, *export.Conversations[0].Subject)
	require.Equal(t, "Wants boots.", *export.Conversations[0].Summary)
	require.Equal(t, detail(t, p.Server, p.token, p.conversation).Messages, export.Conversations[0].Messages)
	require.Equal(t, leadID, (*export.Leads)[0].ID)
	without := p.Get(t, p.Token(t, p.space, api.ScopeConversationsRead), p.path("/export")).Want(t, http.StatusOK)
	require.NotContains(t, string(without.Body), `"leads"`, "leads need the scope that reads them")
	// More conversations than one batch.
	for i := range 101 {
		p.Exec(t, "UPDATE conversations SET status = 'CLOSED'")
		p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: fmt.Sprint("x", i), Text: "Hi", From: provider.Identity{ExternalID: "+48600"}}})
	}
	export = apitest.Decode[api.ContactExport](t, p.Get(t, p.token, p.path("/export")).Want(t, http.StatusOK))
	require.Len(t, export.Conversations, 102)
	for _, one := range export.Conversations {
		require.Len(t, one.Messages, 1)
	}
}

func TestDownloadAttachment(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	response := p.Get(t, p.token, "/attachments/"+p.attachment.String()).Want(t, http.StatusOK)
	require.Equal(t, secretWord, string(response.Body))
	require.Equal(t, "application/octet-stream", response.Header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment"))
	require.Equal(t, "private, no-store", response.Header.Get("Cache-Control"))
	p.Get(t, p.Token(t, p.space, api.ScopeLeadsRead), "/attachments/"+p.attachment.String()).Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	p.Exec(t, "UPDATE attachments SET state = 'FAILED'")
	p.Get(t, p.token, "/attachments/"+p.attachment.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	p.Exec(t, "UPDATE attachments SET state = 'STORED', blob_key = 'gone'")
	p.Get(t, p.token, "/attachments/"+p.attachment.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

func TestStartConversation(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	post := func(body map[string]any) apitest.Response {
		body["channelId"] = p.channel.ID
		return p.Post(t, p.token, "/conversations", body)
	}
	response := post(map[string]any{"to": "+48999", "content": "Your order has arrived.", "subject": "Order"}).Want(t, http.StatusCreated)
	created := apitest.Decode[api.ConversationDetail](t, response)
	require.Equal(t, "/api/v1/conversations/"+created.ID.String(), response.Header.Get("Location"))
	require.Equal(t, api.ConversationStatusHANDEDOFF, created.Status)
	require.Equal(t, "+48999", *created.Contact.Phone)
	require.Equal(t, api.DeliveryStatusQUEUED, created.Messages[0].DeliveryStatus)
	require.Equal(t, 1, countQueued(t, p.Server, created.Messages[0].ID))
	require.Equal(t, created, detail(t, p.Server, p.token, created.ID))
	require.Equal(t, []api.EventType{api.EventTypeContactCreated, api.EventTypeConversationCreated, api.EventTypeMessageCreated}, p.eventTypes(t)[3:])
	// The same address is the same contact, and so is what it replies.
	second := apitest.Decode[api.ConversationDetail](t, post(map[string]any{"to": "+48999", "content": "Again"}).Want(t, http.StatusCreated))
	require.Equal(t, created.Contact.ID, second.Contact.ID)
	reply := p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: "r1", Text: "Thanks", From: provider.Identity{ExternalID: "+48999"}}})
	require.Equal(t, second.ID, reply.Conversation.ID)
	third := apitest.Decode[api.ConversationDetail](t, post(map[string]any{"contactId": p.contact, "content": "Hello"}).Want(t, http.StatusCreated))
	require.Equal(t, p.contact, third.Contact.ID)

	nobody := p.inbound(t, conversation.Inbound{Message: provider.Message{ExternalID: "n1", Text: "Hi", From: provider.Identity{ExternalID: "+48111"}}})
	p.Exec(t, "DELETE FROM contact_identities WHERE contact_id = $1", nobody.Conversation.ContactID)
	var before int
	count := "SELECT count(*) FROM conversations"
	require.NoError(t, p.DB.QueryRow(t.Context(), count).Scan(&before))
	for name, one := range map[string]struct {
		body   map[string]any
		status int
		code   api.ErrorCode
	}{
		"no recipient":    {map[string]any{"content": "x"}, http.StatusBadRequest, api.ErrorCodeValidationFailed},
		"two recipients":  {map[string]any{"content": "x", "to": "+48999", "contactId": p.contact}, http.StatusBadRequest, api.ErrorCodeValidationFailed},
		"no address":      {map[string]any{"content": "x", "to": "nowhere"}, http.StatusBadRequest, api.ErrorCodeValidationFailed},
		"unknown contact": {map[string]any{"content": "x", "contactId": uuid.New()}, http.StatusUnprocessableEntity, api.ErrorCodeUnknownContact},
		"no identity":     {map[string]any{"content": "x", "contactId": nobody.Conversation.ContactID}, http.StatusUnprocessableEntity, api.ErrorCodeContactUnreachable},
	} {
		problem := post(one.body).Problem(t, one.status, one.code)
		require.NotEmpty(t, problem.Detail, name)
	}
	p.Post(t, p.token, "/conversations", map[string]any{"channelId": uuid.New(), "to": "+48999", "content": "x"}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownChannel)
	p.Exec(t, "UPDATE contact_identities SET blocked_at = now() WHERE external_id = '+48999'")
	post(map[string]any{"to": "+48999", "content": "x"}).Problem(t, http.StatusConflict, api.ErrorCodeReplyWindowClosed)
	p.Exec(t, "UPDATE channels SET type = 'TELEGRAM'")
	post(map[string]any{"to": "+48999", "content": "x"}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeChannelCannotInitiate)
	var after int
	require.NoError(t, p.DB.QueryRow(t.Context(), count).Scan(&after))
	require.Equal(t, before, after, "nothing was stored")
}

func TestConversationOperations(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	operator := apitest.Decode[api.OperatorDetail](t, p.Post(t, p.token, "/operators", `{"name":"Ola"}`).Want(t, http.StatusCreated)).ID
	do := func(operation string, body any) apitest.Response {
		return p.Post(t, p.token, "/conversations/"+p.conversation.String()+"/"+operation, body)
	}
	row := func(response apitest.Response) api.Conversation {
		return apitest.Decode[api.Conversation](t, response.Want(t, http.StatusOK))
	}
	handed := row(do("hand-off", map[string]any{"operatorId": operator, "reason": "Asked for a person."}))
	require.Equal(t, api.ConversationStatusHANDEDOFF, handed.Status)
	require.Equal(t, &operator, handed.AssignedOperatorID)
	require.Equal(t, handed, row(do("hand-off", nil)), "no change")
	require.Equal(t, api.ConversationStatusOPEN, row(do("release", nil)).Status)
	require.Equal(t, api.ConversationStatusCLOSED, row(do("close", nil)).Status)
	do("hand-off", nil).Problem(t, http.StatusConflict, api.ErrorCodeConversationClosed)
	do("release", nil).Problem(t, http.StatusConflict, api.ErrorCodeConversationClosed)
	require.Equal(t, api.ConversationStatusOPEN, row(do("reopen", nil)).Status)
	do("hand-off", map[string]any{"operatorId": uuid.New()}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownOperator)
	do("hand-off", `{"reason":""}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	require.Equal(t, []api.EventType{
		api.EventTypeConversationHandedOff, api.EventTypeConversationAssigned, api.EventTypeConversationReleased, api.EventTypeConversationClosed, api.EventTypeConversationReopened,
	}, p.eventTypes(t)[3:])
}

func TestReplyOutsideThePolicyIsRefused(t *testing.T) {
	t.Parallel()
	options := apitest.Options{}
	p := setupPerson(t, options)
	p.Post(t, p.token, "/conversations/"+p.conversation.String()+"/hand-off", nil).Want(t, http.StatusOK)
	path := "/conversations/" + p.conversation.String() + "/operator-message"
	first := apitest.Decode[api.Message](t, p.Post(t, p.token, path, `{"content":"Hi"}`).Want(t, http.StatusCreated))
	second := apitest.Decode[api.Message](t, p.Post(t, p.token, path, map[string]any{"content": "And", "replyToId": first.ID}).Want(t, http.StatusCreated))
	require.Equal(t, &first.ID, second.ReplyToID)
	p.Post(t, p.token, path, map[string]any{"content": "x", "replyToId": uuid.New()}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownMessage)
	require.JSONEq(t, `{"open":true,"until":null,"maxLength":4096,"templateRequired":false,"reason":null}`, encoded(t, detail(t, p.Server, p.token, p.conversation).ReplyPolicy))
	p.Exec(t, "UPDATE channels SET status = 'DISABLED'")
	before := detail(t, p.Server, p.token, p.conversation)
	require.Equal(t, api.ReplyPolicyReasonCHANNELDISABLED, *before.ReplyPolicy.Reason)
	p.Post(t, p.token, path, `{"content":"x"}`).Problem(t, http.StatusConflict, api.ErrorCodeReplyWindowClosed)
	require.Equal(t, before, detail(t, p.Server, p.token, p.conversation), "nothing was stored")
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return string(raw)
}

func TestOperatorsAreLinkedToMembers(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	for _, email := range []string{"Ola@example.com", "stranger@example.com"} {
		id := uuid.New()
		p.Exec(t, "INSERT INTO users (id, email, name, password_hash, password_changed_at, created_at) VALUES ($1, $2, 'U', 'x', now(), now())", id, email)
		if email == "Ola@example.com" {
			p.Exec(t, "INSERT INTO memberships (workspace_id, user_id, created_at) VALUES ($1, $2, now())", p.space, id)
		}
	}
	response := p.Post(t, p.token, "/operators", `{"name":" Ola ","email":"ola@EXAMPLE.com"}`).Want(t, http.StatusCreated)
	ola := apitest.Decode[api.OperatorDetail](t, response)
	require.Equal(t, "/api/v1/operators/"+ola.ID.String(), response.Header.Get("Location"))
	require.Equal(t, "Ola", ola.Name)
	require.Equal(t, "Ola@example.com", *ola.Email)
	require.Equal(t, ola, apitest.Decode[api.OperatorDetail](t, p.Get(t, p.token, "/operators/"+ola.ID.String()).Want(t, http.StatusOK)))
	p.Post(t, p.token, "/operators", `{"name":"Other","email":"ola@example.com"}`).Problem(t, http.StatusConflict, api.ErrorCodeOperatorExists)
	for _, email := range []string{"stranger@example.com", "unknown@example.com"} {
		p.Post(t, p.token, "/operators", map[string]string{"name": "Eve", "email": email}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownUser)
	}
	p.Post(t, p.token, "/operators", `{"name":"\u200b"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	patch := func(id uuid.UUID, body string) apitest.Response {
		return p.Do(t, apitest.Request{Method: http.MethodPatch, Path: "/operators/" + id.String(), Token: p.token, Body: body})
	}
	renamed := apitest.Decode[api.OperatorDetail](t, patch(ola.ID, `{"name":"Aleksandra"}`).Want(t, http.StatusOK))
	require.Equal(t, ola.Email, renamed.Email)
	jan := apitest.Decode[api.OperatorDetail](t, p.Post(t, p.token, "/operators", `{"name":"Jan"}`).Want(t, http.StatusCreated))
	patch(jan.ID, `{"email":"ola@example.com"}`).Problem(t, http.StatusConflict, api.ErrorCodeOperatorExists)
	patch(jan.ID, `{"email":"stranger@example.com"}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownUser)
	require.Nil(t, apitest.Decode[api.OperatorDetail](t, patch(ola.ID, `{"email":null}`).Want(t, http.StatusOK)).Email)
	patch(jan.ID, `{"email":"ola@example.com"}`).Want(t, http.StatusOK)
	patch(uuid.New(), `{"name":"x"}`).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

func TestDeletedLeadsCauseAnEvent(t *testing.T) {
	t.Parallel()
	p := setupPerson(t, apitest.Options{})
	lead := apitest.Decode[api.Lead](t, p.Post(t, p.token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated))
	p.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/leads/" + lead.ID.String(), Token: p.token}).Want(t, http.StatusNoContent)
	types := p.eventTypes(t)
	require.Equal(t, api.EventTypeLeadDeleted, types[len(types)-1])
}
