package representation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/knowledge"
)

const someID = "019dde42-9a00-7c3a-9f21-6a0b5f1d2e01"

var at = time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)

// payloads returns a payload for each event type that is recorded.
func payloads() []event.Payload {
	one := uuid.MustParse(someID)
	lead := db.Lead{ID: one, Status: api.LeadStatusNEW, Fields: []byte(`{"name":"Anna"}`), CreatedAt: at, UpdatedAt: at}
	conversation := db.Conversation{ID: one, AgentID: one, ChannelID: one, Status: api.ConversationStatusOPEN, CreatedAt: at, UpdatedAt: at}
	contact, name := db.Contact{ID: one}, "guide.pdf"
	job := knowledge.Job{KnowledgeJob: db.KnowledgeJob{
		ID: one, Type: api.KnowledgeTypeUPLOAD, Status: api.KnowledgeJobStatusCOMPLETED, FileName: &name, CreatedAt: at,
	}, Found: 1, Done: 1}
	failed, code, message := job, api.KnowledgeJobErrorCodeInternalError, "The job failed."
	failed.Status, failed.ErrorCode, failed.ErrorMessage = api.KnowledgeJobStatusFAILED, &code, &message
	failed.Failures = []db.KnowledgePageFailuresRow{{URL: "https://example.com/a", Reason: &message}}
	all := []event.Payload{
		event.LeadCreated{Lead: lead},
		event.LeadUpdated{Lead: lead},
		event.LeadStatusChanged{Lead: lead, Previous: api.LeadStatusWON},
		event.ConversationAssigned{Conversation: conversation, Contact: contact, Previous: &one},
		event.ConversationTagsChanged{Conversation: conversation, Contact: contact, Added: []db.Tag{{ID: one, Name: "vip"}}},
		event.MessageCreated{Message: db.Message{
			ID: one, ConversationID: one, Role: api.MessageRoleASSISTANT, Content: "Hi", AuthorType: api.MessageAuthorTypeOPERATOR,
			OperatorID: &one, DeliveryStatus: api.DeliveryStatusSENT, CreatedAt: at,
		}},
		event.MessageDeliveryChanged{Message: db.Message{
			ID: one, ConversationID: one, Role: api.MessageRoleASSISTANT, Content: "Hi", AuthorType: api.MessageAuthorTypeOPERATOR,
			DeliveryStatus: api.DeliveryStatusFAILED, ErrorCode: new(api.MessageErrorCodeRejectedByProvider), ErrorMessage: new("Too long."), CreatedAt: at,
		}, Previous: api.DeliveryStatusQUEUED},
		event.ConversationHandedOff{Conversation: conversation, Contact: contact},
		event.ConversationHandedOff{Conversation: conversation, Contact: contact, Reason: "Asked for a person."},
		event.LeadDeleted{LeadID: one},
		event.ContactCreated{Contact: db.Contact{ID: one, Name: &name, CreatedAt: at, UpdatedAt: at}},
		event.ContactUpdated{Contact: db.Contact{ID: one, CreatedAt: at, UpdatedAt: at}},
		event.ContactDeleted{ContactID: one},
		knowledge.JobEnded{Job: job},
		knowledge.JobEnded{Job: failed},
		event.WebhookPing{IntegrationID: one},
	}
	for _, kind := range []api.EventType{
		api.EventTypeConversationCreated, api.EventTypeConversationReleased, api.EventTypeConversationClosed, api.EventTypeConversationReopened,
	} {
		all = append(all, event.ConversationChanged{Type: kind, Conversation: conversation, Contact: contact})
	}
	return all
}

func TestEveryEventMatchesItsSchema(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	recorded := map[api.EventType]bool{}
	for i, payload := range payloads() {
		kind := payload.EventType()
		recorded[kind] = true
		data, err := representation.EncodeEvent(payload)
		require.NoError(t, err, kind)
		raw := event.AppendJSON(nil, db.Event{ID: uuid.New(), WorkspaceID: uuid.New(), Type: kind, Sequence: int64(i + 1), Data: data, OccurredAt: at})
		var body any
		require.NoError(t, json.Unmarshal(raw, &body), kind)
		schema := document.OpenAPI.Webhooks[string(kind)].Post.RequestBody.Value.Content["application/json"].Schema.Value
		require.NoError(t, schema.VisitJSON(body, openapi3.EnableJSONSchema2020()), "%s", raw)
	}
	for kind := range document.Events {
		require.True(t, recorded[kind], "%s has no payload in this test", kind)
	}
}

// Events are stored as they are encoded, so an accidental change would mix two forms.
func TestEventEncodingIsStable(t *testing.T) {
	t.Parallel()
	const (
		lead = `{"id":"` + someID + `","status":"NEW","fields":{"name":"Anna"},"score":null,"source":null,"conversationId":null,` +
			`"crmExternalId":null,"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.000Z"}`
		conversation = `{"agentId":"` + someID + `","assignedOperatorId":null,"channelId":"` + someID + `",` +
			`"contact":{"email":null,"id":"00000000-0000-0000-0000-000000000000","name":null,"phone":null},` +
			`"createdAt":"2026-04-30T12:00:00.000Z","id":"` + someID + `","lastMessageAt":null,"status":"OPEN","updatedAt":"2026-04-30T12:00:00.000Z"}`
	)
	one := uuid.MustParse(someID)
	leadRow := db.Lead{ID: one, Status: api.LeadStatusNEW, Fields: []byte(`{"name":"Anna"}`), CreatedAt: at, UpdatedAt: at}
	row := db.Conversation{ID: one, AgentID: one, ChannelID: one, Status: api.ConversationStatusOPEN, CreatedAt: at, UpdatedAt: at}
	tagged := event.ConversationTagsChanged{Conversation: row, Removed: []db.Tag{{ID: one, Name: "vip"}}}
	for _, c := range []struct {
		want    string
		payload event.Payload
	}{
		{`{"lead":` + lead + `}`, event.LeadCreated{Lead: leadRow}},
		{`{"lead":` + lead + `,"previousStatus":"WON"}`, event.LeadStatusChanged{Lead: leadRow, Previous: api.LeadStatusWON}},
		{`{"conversation":` + conversation + `}`, event.ConversationChanged{Conversation: row}},
		{`{"integrationId":"` + someID + `"}`, event.WebhookPing{IntegrationID: one}},
		{`{"conversation":` + conversation + `,"previousOperatorId":null}`, event.ConversationAssigned{Conversation: row}},
		{`{"added":[],"conversation":` + conversation + `,"removed":[{"id":"` + someID + `","name":"vip"}]}`, tagged},
	} {
		got, err := representation.EncodeEvent(c.payload)
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
}

type unknown struct{}

func (unknown) EventType() api.EventType { return "lead.merged" }

func TestAPayloadWithoutRepresentationIsAnError(t *testing.T) {
	t.Parallel()
	_, err := representation.EncodeEvent(unknown{})
	require.ErrorContains(t, err, "lead.merged")
}
