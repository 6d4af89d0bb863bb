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
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/knowledge"
)

var (
	one = uuid.MustParse("019dde42-9a00-7c3a-9f21-000000000001")
	two = uuid.MustParse("019dde42-9a00-7c3a-9f21-000000000002")
	// early and late have more precision, and another time zone, than the API shows.
	early = time.Date(2026, time.April, 30, 14, 0, 0, 0, time.FixedZone("", 2*60*60))
	late  = time.Date(2026, time.April, 30, 12, 0, 0, 999_999_999, time.UTC)
)

// golden requires the JSON of a value, and that it conforms to a schema of the document.
func golden(t *testing.T, schema, want string, value any) {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	require.JSONEq(t, want, string(raw))
	document, err := spec.Published()
	require.NoError(t, err)
	var parsed any
	require.NoError(t, json.Unmarshal(raw, &parsed))
	require.NoError(t, document.OpenAPI.Components.Schemas[schema].Value.VisitJSON(parsed, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()))
}

func TestConversationJSON(t *testing.T) {
	t.Parallel()
	row := db.Conversation{WorkspaceID: two, ID: one, AgentID: one, ChannelID: one, ContactID: one, Status: "OPEN", CreatedAt: early, UpdatedAt: late}
	golden(t, "Conversation", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","agentId":"019dde42-9a00-7c3a-9f21-000000000001","channelId":"019dde42-9a00-7c3a-9f21-000000000001",
		"status":"OPEN","contact":{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":null,"email":null,"phone":null},"assignedOperatorId":null,"lastMessageAt":null,
		"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.999Z"}`, representation.Conversation(row, db.Contact{ID: one}))

	row.AssignedOperatorID, row.LastMessageAt = &two, &late
	golden(t, "Conversation", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","agentId":"019dde42-9a00-7c3a-9f21-000000000001","channelId":"019dde42-9a00-7c3a-9f21-000000000001",
		"status":"OPEN","contact":{"id":"019dde42-9a00-7c3a-9f21-000000000002","name":"Anna","email":"a@b.c","phone":"+48 1"},"assignedOperatorId":"019dde42-9a00-7c3a-9f21-000000000002",
		"lastMessageAt":"2026-04-30T12:00:00.999Z","createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.999Z"}`,
		representation.Conversation(row, db.Contact{ID: two, Name: new("Anna"), Email: new("a@b.c"), Phone: new("+48 1")}))
}

// TestConversationDetailHasEmptyLists: clients iterate without checking for null.
func TestConversationDetailHasEmptyLists(t *testing.T) {
	t.Parallel()
	var detail conversation.Detail
	detail.Conversation = db.Conversation{ID: one, AgentID: one, ChannelID: one, Status: "CLOSED", CreatedAt: early, UpdatedAt: early}
	detail.Contact = db.Contact{ID: one}
	detail.Policy = conversation.Policy{Open: true, MaxLength: 4096}
	shown := representation.ConversationDetail(detail)
	golden(t, "ConversationDetail", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","agentId":"019dde42-9a00-7c3a-9f21-000000000001","channelId":"019dde42-9a00-7c3a-9f21-000000000001",
		"status":"CLOSED","contact":{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":null,"email":null,"phone":null},"assignedOperatorId":null,"assignedOperator":null,
		"lastMessageAt":null,"sentiment":null,"tags":[],"messages":[],"subject":null,"agentVersion":null,
		"replyPolicy":{"open":true,"until":null,"maxLength":4096,"templateRequired":false,"reason":null},"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.000Z"}`, shown)
	detail.Conversation.AssignedOperatorID, detail.OperatorName = &two, new("Ola")
	require.Equal(t, &api.Operator{ID: two, Name: "Ola"}, representation.ConversationDetail(detail).AssignedOperator)
}

// TestMessageAuthor: the ID is that of the author's type.
func TestMessageAuthor(t *testing.T) {
	t.Parallel()
	for kind, want := range map[api.MessageAuthorType]string{
		api.MessageAuthorTypeCONTACT: "000000000011", api.MessageAuthorTypeAGENT: "000000000012", api.MessageAuthorTypeOPERATOR: "000000000013",
	} {
		contact, agent, operator := one, one, one
		contact[15], agent[15], operator[15] = 0x11, 0x12, 0x13
		golden(t, "Message", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","role":"ASSISTANT","content":"Hi \"<b>\"","author":{"type":"`+string(kind)+`","id":"019dde42-9a00-7c3a-9f21-`+want+`"},
			"deliveryStatus":"QUEUED","createdAt":"2026-04-30T12:00:00.999Z","direction":"OUTBOUND"}`, representation.Message(conversation.Message{Message: db.Message{
			ID: one, Role: "ASSISTANT", Content: `Hi "<b>"`, AuthorType: kind, ContactID: &contact, AgentID: &agent, OperatorID: &operator, DeliveryStatus: "QUEUED", CreatedAt: late,
		}}))
	}
}

func TestMessageJSON(t *testing.T) {
	t.Parallel()
	row := db.Message{
		ID: one, Role: "USER", Content: "Hi", AuthorType: "CONTACT", ContactID: &one, DeliveryStatus: "RECEIVED", CreatedAt: early, ReplyToID: &two,
		ExternalID: new("4711"), ClientMessageID: new("c-1"), EditedAt: &late, ErrorCode: new(api.MessageErrorCodeChannelDeleted), ErrorMessage: new("Gone."), Attempts: []byte("[]"),
	}
	files := []db.Attachment{{ID: two, MessageID: one, Type: "IMAGE", State: "PENDING", BlobKey: new("never/shown"), ExternalID: new("never shown")}}
	const short = `"id":"019dde42-9a00-7c3a-9f21-000000000001","role":"USER","content":"Hi","author":{"type":"CONTACT","id":"019dde42-9a00-7c3a-9f21-000000000001"},
		"deliveryStatus":"RECEIVED","createdAt":"2026-04-30T12:00:00.000Z","direction":"INBOUND","externalId":"4711","clientMessageId":"c-1","replyToId":"019dde42-9a00-7c3a-9f21-000000000002",
		"editedAt":"2026-04-30T12:00:00.999Z","error":{"code":"channel_deleted","message":"Gone.","providerCode":null},
		"attachments":[{"id":"019dde42-9a00-7c3a-9f21-000000000002","type":"IMAGE","name":null,"contentType":null,"sizeBytes":null,"state":"PENDING"}]`
	golden(t, "Message", "{"+short+"}", representation.Message(conversation.Message{Message: row, Attachments: files}))
	golden(t, "MessageDetail", "{"+short+`,"attempts":[]}`, representation.MessageDetail(conversation.Message{Message: row, Attachments: files}))
	row.RedactedAt = &late
	require.Nil(t, representation.Message(conversation.Message{Message: row, Attachments: files}).Attachments, "files of a redacted message are not shown")
}

func TestAgentJSON(t *testing.T) {
	t.Parallel()
	row := db.Agent{
		WorkspaceID: two, ID: one, Name: "Sales", Status: "DRAFT", SystemPrompt: "Be brief.", ModelProvider: "openai", ModelName: "m",
		Temperature: 0.4, MaxTokens: 1024, CreatedAt: early, UpdatedAt: late,
	}
	golden(t, "Agent", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":"Sales","status":"DRAFT","publishedVersion":null,"modelProvider":"openai","modelName":"m",
		"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.999Z"}`, representation.Agent(row))
	row.PublishedVersion, row.UnpublishedChanges = new(int32(7)), true
	golden(t, "AgentDetail", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":"Sales","status":"DRAFT","publishedVersion":7,"unpublishedChanges":true,"modelProvider":"openai","modelName":"m","systemPrompt":"Be brief.",
		"temperature":0.4,"maxTokens":1024,"monthlyBudgetMicros":null,"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.999Z"}`, representation.AgentDetail(row))
}

func TestChannelTagAndOperatorJSON(t *testing.T) {
	t.Parallel()
	channel := db.Channel{WorkspaceID: two, ID: one, Type: "TELEGRAM", Name: "Shop", AgentID: two, Status: "CONNECTED", CreatedAt: early, UpdatedAt: late}
	golden(t, "Channel", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","type":"TELEGRAM","name":"Shop","agentId":"019dde42-9a00-7c3a-9f21-000000000002","status":"CONNECTED",
		"createdAt":"2026-04-30T12:00:00.000Z","updatedAt":"2026-04-30T12:00:00.999Z"}`, representation.Channel(channel))
	golden(t, "Tag", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":"vip"}`, representation.Tag(db.Tag{WorkspaceID: two, ID: one, Name: "vip", CreatedAt: late}))
	golden(t, "Operator", `{"id":"019dde42-9a00-7c3a-9f21-000000000001","name":"Ola"}`, representation.Operator(db.Operator{WorkspaceID: two, ID: one, Name: "Ola"}))
}

// TestIntegrationsNeverShowSecrets checks webhooks and other types.
func TestIntegrationsNeverShowSecrets(t *testing.T) {
	t.Parallel()
	row := db.Integration{
		WorkspaceID: two, ID: one, Type: "WEBHOOK", URL: new("https://x.example"), Events: []string{"lead.created"}, Status: "ERROR",
		Secret: []byte("sealed"), PreviousSecret: []byte("sealed"), CreatedAt: early, UpdatedAt: late,
		ErrorCode: new(api.IntegrationErrorCode("http_status")), ErrorMessage: new("500"), ErrorAt: &late,
	}
	shown := representation.Integration(row)
	raw, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "ecret")
	require.NotContains(t, string(raw), "c2VhbGVk", "base64 of the secret")
	require.Equal(t, "https://x.example", *shown.URL)
	require.False(t, *shown.Temporary)
	require.Equal(t, "500", shown.Error.Message)
	row.ExpiresAt = &late
	require.True(t, *representation.Integration(row).Temporary)
	require.Equal(t, "wh_x", *representation.WebhookCreated(row, "wh_x").SigningSecret)

	row.Type, row.ErrorCode = "CRM", nil
	other := representation.Integration(row)
	require.Nil(t, other.URL, "only webhooks have a URL")
	require.Nil(t, other.Events)
	require.Nil(t, other.Error, "an error has a code, a message and a time, or is null")
}

// TestNextAttemptIsOfPendingDeliveries: the column is never null.
func TestNextAttemptIsOfPendingDeliveries(t *testing.T) {
	t.Parallel()
	for status, pending := range map[api.WebhookDeliveryStatus]bool{"PENDING": true, "SUCCEEDED": false, "FAILED": false} {
		row := db.WebhookDeliveryGetRow{WebhookDelivery: db.WebhookDelivery{ID: one, Status: status, NextAttemptAt: late, CreatedAt: early}}
		require.Equal(t, pending, representation.WebhookDelivery(row).NextAttemptAt != nil, status)
	}
}

func TestKnowledgeJobError(t *testing.T) {
	t.Parallel()
	var job knowledge.Job
	job.ID, job.Type, job.Status, job.CreatedAt = one, "UPLOAD", "PENDING", late
	shown := representation.KnowledgeJob(job)
	require.Nil(t, shown.Error)
	require.NotNil(t, shown.Progress.Failures, "an empty list, not null")
	raw, err := json.Marshal(shown)
	require.NoError(t, err)
	require.Contains(t, string(raw), `"failures":[]`)
	require.Contains(t, string(raw), `"createdAt":"2026-04-30T12:00:00.999Z"`)
	require.Contains(t, string(raw), `"startedAt":null`)
}

func TestListIsNeverNull(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(representation.List(nil, representation.Tag))
	require.NoError(t, err)
	require.JSONEq(t, "[]", string(raw))
}
