package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
	"github.com/avelto/convo/internal/testing/testdb"
)

func newDatabase(t *testing.T) string {
	t.Helper()
	return testdb.URL(t)
}

// foreign holds IDs of a workspace that the caller's token does not belong to.
type foreign struct {
	lead, conversation, message, contact, attachment, agent, evaluation, channel, operator, tag, webhook, delivery, job, source uuid.UUID
}

// oneCase evaluates an agent.
const oneCase = `{"cases":[{"id":"a","ask":["How long may I return shoes?"],"expect":{"outcome":"ANSWERED"}}]}`

// decision tests an operation with IDs of another workspace.
type decision func(t *testing.T, s *apitest.Server, token string, ids foreign)

// TestNoOperationCrossesWorkspaces calls every operation of the document with the token of
// one workspace and IDs of another. It fails for operations without a decision.
//
//nolint:tparallel // checks the database after the subtests
func TestNoOperationCrossesWorkspaces(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Providers: channeltest.Registry()})
	rich, other := s.Demo(t)
	ids := foreign{
		lead:         apitest.First[api.Lead](t, s, rich, "/leads").ID,
		conversation: s.Conversation(t, rich, api.ConversationStatusHANDEDOFF).ID,
		agent:        apitest.First[api.Agent](t, s, rich, "/agents").ID,
		channel:      apitest.First[api.Channel](t, s, rich, "/channels").ID,
		operator:     apitest.First[api.Operator](t, s, rich, "/operators").ID,
		tag:          apitest.First[api.Tag](t, s, rich, "/tags").ID,
		webhook:      subscribe(t, s, rich.Token, "https://hooks.example.com", api.EventTypeLeadCreated).ID,
	}
	ids.message = detail(t, s, rich.Token, ids.conversation).Messages[0].ID
	ids.contact = detail(t, s, rich.Token, ids.conversation).Contact.ID
	ids.attachment = uuid.New()
	s.Exec(t, `INSERT INTO attachments (workspace_id, id, message_id, type, content_type, size_bytes, state, blob_key, created_at)
		VALUES ($1, $2, $3, 'FILE', 'text/plain', 1, 'STORED', 'none', now())`, rich.ID, ids.attachment, ids.message)
	s.Post(t, rich.Token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	ids.delivery = deliveries(t, s, rich.Token, ids.webhook)[0].ID
	job := apitest.Decode[api.KnowledgeJob](t, s.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/knowledge/upload", Token: rich.Token, Body: "shoes", Header: map[string]string{"Content-Type": "text/plain"},
	}).Want(t, http.StatusAccepted))
	ids.job, ids.source = job.ID, *job.SourceID
	ids.evaluation = apitest.Decode[api.AgentEvaluation](t, s.Post(t, rich.Token, "/agents/"+ids.agent.String()+"/evaluations", oneCase).Want(t, http.StatusAccepted)).ID
	for _, provider := range []string{"openai", "anthropic"} {
		s.Patch(t, rich.Token, "/model-providers/"+provider, `{"apiKey":"theirs"}`).Want(t, http.StatusOK)
	}
	s.Patch(t, rich.Token, "/model-budget", `{"currency":"EUR","monthlyBudgetMicros":7,"whenExceeded":"BUILTIN"}`).Want(t, http.StatusOK)
	s.Exec(t, "INSERT INTO model_spending (workspace_id, agent_id, month, micros) VALUES ($1, $2, '2026-04-01', 5)", rich.ID, uuid.Nil)
	before := snapshot(t, s, rich.ID)
	decisions := isolationDecisions()
	for _, o := range s.Document.Operations {
		decide, ok := decisions[o.ID]
		require.True(t, ok, "%s has no decision: add one that tests it with IDs of another workspace", o.ID)
		t.Run(o.ID, func(t *testing.T) { decide(t, s, other.Token, ids) })
	}
	require.Equal(t, before, snapshot(t, s, rich.ID), "the other workspace's data changed")
}

func isolationDecisions() map[string]decision {
	return map[string]decision{
		"listLeads":               hides("/leads?limit=200", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.lead} }),
		"listAgents":              hides("/agents", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.agent} }),
		"listChannels":            hides("/channels", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.channel, ids.agent} }),
		"listOperators":           hides("/operators", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.operator} }),
		"listTags":                hides("/tags", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.tag} }),
		"getAnalyticsOverview":    hides("/analytics/overview?groupBy=agent&from=2026-01-01T00:00:00Z", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.agent} }),
		"getAgentAnalytics":       hides("/analytics/agents?from=2026-01-01T00:00:00Z", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.agent} }),
		"getAnalyticsTimeseries":  hides("/analytics/timeseries?groupBy=channel&granularity=month&from=2026-01-01T00:00:00Z", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.channel} }),
		"listConversations":       filtersHide,
		"bulkUpdateConversations": bulkSkips,

		"getLead":                  absent(http.MethodGet, "/leads/%s", "", func(ids foreign) uuid.UUID { return ids.lead }),
		"updateLead":               absent(http.MethodPatch, "/leads/%s", `{"score":1}`, func(ids foreign) uuid.UUID { return ids.lead }),
		"deleteLead":               absent(http.MethodDelete, "/leads/%s", "", func(ids foreign) uuid.UUID { return ids.lead }),
		"updateLeadStatus":         absent(http.MethodPatch, "/leads/%s/status", `{"status":"WON"}`, func(ids foreign) uuid.UUID { return ids.lead }),
		"getConversation":          absent(http.MethodGet, "/conversations/%s", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"listConversationMessages": absent(http.MethodGet, "/conversations/%s/messages", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"getConversationMessage":   messageIsAbsent,
		"createConversation":       startsNothing,
		"handOffConversation":      handsOffNothing,
		"releaseConversation":      absent(http.MethodPost, "/conversations/%s/release", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"closeConversation":        absent(http.MethodPost, "/conversations/%s/close", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"reopenConversation":       absent(http.MethodPost, "/conversations/%s/reopen", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"getAttachment":            absent(http.MethodGet, "/attachments/%s", "", func(ids foreign) uuid.UUID { return ids.attachment }),
		"listContacts":             hides("/contacts?limit=200", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.contact} }),
		"getContact":               absent(http.MethodGet, "/contacts/%s", "", func(ids foreign) uuid.UUID { return ids.contact }),
		"updateContact":            absent(http.MethodPatch, "/contacts/%s", `{"name":"x"}`, func(ids foreign) uuid.UUID { return ids.contact }),
		"deleteContact":            absent(http.MethodDelete, "/contacts/%s", "", func(ids foreign) uuid.UUID { return ids.contact }),
		"exportContact":            absent(http.MethodGet, "/contacts/%s/export", "", func(ids foreign) uuid.UUID { return ids.contact }),
		"createOperator":           nothingToCross,
		"getOperator":              absent(http.MethodGet, "/operators/%s", "", func(ids foreign) uuid.UUID { return ids.operator }),
		"updateOperator":           absent(http.MethodPatch, "/operators/%s", `{"name":"x"}`, func(ids foreign) uuid.UUID { return ids.operator }),
		"createChannel":            createsNoChannel,
		"getChannel":               absent(http.MethodGet, "/channels/%s", "", func(ids foreign) uuid.UUID { return ids.channel }),
		"updateChannel":            absent(http.MethodPatch, "/channels/%s", `{"name":"x"}`, func(ids foreign) uuid.UUID { return ids.channel }),
		"deleteChannel":            absent(http.MethodDelete, "/channels/%s", "", func(ids foreign) uuid.UUID { return ids.channel }),
		"checkChannel":             absent(http.MethodPost, "/channels/%s/check", "", func(ids foreign) uuid.UUID { return ids.channel }),
		"authorizeChannel":         absent(http.MethodPost, "/channels/%s/authorization", "", func(ids foreign) uuid.UUID { return ids.channel }),
		"listChannelTemplates":     absent(http.MethodGet, "/channels/%s/templates", "", func(ids foreign) uuid.UUID { return ids.channel }),
		"sendTemplateMessage":      absent(http.MethodPost, "/conversations/%s/template-message", `{"name":"x","language":"en"}`, func(ids foreign) uuid.UUID { return ids.conversation }),
		"getTag":                   absent(http.MethodGet, "/tags/%s", "", func(ids foreign) uuid.UUID { return ids.tag }),
		"sendOperatorMessage":      absent(http.MethodPost, "/conversations/%s/operator-message", `{"content":"x"}`, func(ids foreign) uuid.UUID { return ids.conversation }),
		"reportOperatorTyping":     absent(http.MethodPost, "/conversations/%s/typing", `{"on":true}`, func(ids foreign) uuid.UUID { return ids.conversation }),
		"getAgent":                 absent(http.MethodGet, "/agents/%s", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"listAgentRuns":            absent(http.MethodGet, "/agents/%s/runs", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"checkAgent":               absent(http.MethodPost, "/agents/%s/check", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"previewAgent":             absent(http.MethodPost, "/agents/%s/preview", `{"messages":[{"role":"USER","content":"How long may I return shoes?"}]}`, func(ids foreign) uuid.UUID { return ids.agent }),
		"publishAgent":             absent(http.MethodPost, "/agents/%s/publish", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"rollBackAgent":            absent(http.MethodPost, "/agents/%s/rollback", `{"version":1}`, func(ids foreign) uuid.UUID { return ids.agent }),
		"createAgentEvaluation":    absent(http.MethodPost, "/agents/%s/evaluations", oneCase, func(ids foreign) uuid.UUID { return ids.agent }),
		"listAgentEvaluations":     absent(http.MethodGet, "/agents/%s/evaluations", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"getAgentEvaluation":       evaluationIsAbsent,
		"listAgentVersions":        absent(http.MethodGet, "/agents/%s/versions", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"getAgentVersion":          absent(http.MethodGet, "/agents/%s/versions/1", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"updateAgent":              absent(http.MethodPatch, "/agents/%s", `{"name":"x"}`, func(ids foreign) uuid.UUID { return ids.agent }),
		"getModelProvider":         hasNoProvider(http.MethodGet),
		"updateModelProvider":      setsOwnProvider,
		"deleteModelProvider":      hasNoProvider(http.MethodDelete),
		"getModelBudget":           hasNoBudget(http.MethodGet, ""),
		"updateModelBudget":        hasNoBudget(http.MethodPatch, `{"currency":"PLN"}`),

		"listIntegrations":             hides("/integrations", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.webhook} }),
		"listEvents":                   hides("/events", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.lead} }),
		"getIntegration":               absent(http.MethodGet, "/integrations/%s", "", func(ids foreign) uuid.UUID { return ids.webhook }),
		"updateIntegration":            absent(http.MethodPatch, "/integrations/%s", `{"status":"DISABLED"}`, func(ids foreign) uuid.UUID { return ids.webhook }),
		"deleteIntegration":            absent(http.MethodDelete, "/integrations/%s", "", func(ids foreign) uuid.UUID { return ids.webhook }),
		"rotateIntegrationSecret":      absent(http.MethodPost, "/integrations/%s/rotate-secret", "", func(ids foreign) uuid.UUID { return ids.webhook }),
		"testIntegration":              absent(http.MethodPost, "/integrations/%s/test", "", func(ids foreign) uuid.UUID { return ids.webhook }),
		"listIntegrationDeliveries":    absent(http.MethodGet, "/integrations/%s/deliveries", "", func(ids foreign) uuid.UUID { return ids.webhook }),
		"redeliverIntegrationDelivery": redeliversNothing,

		// These accept no IDs.
		"createLead": nothingToCross, "createWebhook": nothingToCross, "createTag": nothingToCross, "createAgent": nothingToCross, "getOpenAPIDocument": nothingToCross, "getPostmanCollection": nothingToCross,
		"listKnowledgeJobs":      hides("/knowledge/jobs", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.job, ids.source} }),
		"listKnowledgeSources":   hides("/knowledge/sources", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.source} }),
		"getKnowledgeJob":        absent(http.MethodGet, "/knowledge/jobs/%s", "", func(ids foreign) uuid.UUID { return ids.job }),
		"cancelKnowledgeJob":     absent(http.MethodPost, "/knowledge/jobs/%s/cancel", "", func(ids foreign) uuid.UUID { return ids.job }),
		"deleteKnowledgeSource":  absent(http.MethodDelete, "/knowledge/sources/%s", "", func(ids foreign) uuid.UUID { return ids.source }),
		"refreshKnowledgeSource": absent(http.MethodPost, "/knowledge/sources/%s/refresh", "", func(ids foreign) uuid.UUID { return ids.source }),
		"searchKnowledge":        searchFindsNothing,
		"uploadKnowledge":        nothingToCross, "crawlKnowledge": nothingToCross, "listAcceptedTypes": nothingToCross,
	}
}

func nothingToCross(*testing.T, *apitest.Server, string, foreign) {}

// hasNoProvider expects that the caller's workspace lacks a provider that the other has.
func hasNoProvider(method string) decision {
	return func(t *testing.T, s *apitest.Server, token string, _ foreign) {
		t.Helper()
		s.Do(t, apitest.Request{Method: method, Path: "/model-providers/anthropic", Token: token}).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	}
}

// hasNoBudget expects the budget and the spending of the caller's workspace.
func hasNoBudget(method, body string) decision {
	return func(t *testing.T, s *apitest.Server, token string, _ foreign) {
		t.Helper()
		r := apitest.Request{Method: method, Path: "/model-budget", Token: token}
		if body != "" {
			r.Body = body
		}
		found := apitest.Decode[api.ModelBudget](t, s.Do(t, r).Want(t, http.StatusOK))
		require.NotEqual(t, "EUR", found.Currency)
		require.Zero(t, found.SpentMicros)
	}
}

// setsOwnProvider cannot take over the key of the other workspace, nor replace it.
func setsOwnProvider(t *testing.T, s *apitest.Server, token string, _ foreign) {
	t.Helper()
	s.Patch(t, token, "/model-providers/openai", `{"baseUrl":null}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Patch(t, token, "/model-providers/openai", `{"apiKey":"ours"}`).Want(t, http.StatusOK)
}

func searchFindsNothing(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	for _, body := range []map[string]any{{"query": "shoes"}, {"query": "shoes", "sourceIds": []uuid.UUID{ids.source}}} {
		require.JSONEq(t, "[]", string(s.Post(t, token, "/knowledge/search", body).Want(t, http.StatusOK).Body))
	}
}

// absent expects the same response as for an ID that does not exist.
func absent(method, path, body string, pick func(foreign) uuid.UUID) decision {
	return func(t *testing.T, s *apitest.Server, token string, ids foreign) {
		t.Helper()
		ask := func(id uuid.UUID) string {
			r := apitest.Request{Method: method, Path: fmt.Sprintf(path, id), Token: token, Header: map[string]string{"X-Request-Id": "same"}}
			if body != "" {
				r.Body = body
			}
			response := s.Do(t, r)
			response.Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
			return string(response.Body)
		}
		require.Equal(t, ask(uuid.New()), ask(pick(ids)))
	}
}

// hides expects a response without the IDs.
func hides(path string, pick func(foreign) []uuid.UUID) decision {
	return func(t *testing.T, s *apitest.Server, token string, ids foreign) {
		t.Helper()
		response := s.Get(t, token, path).Want(t, http.StatusOK)
		for _, id := range pick(ids) {
			require.NotContains(t, string(response.Body), id.String())
		}
	}
}

func filtersHide(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	response := s.Get(t, token, "/conversations?limit=200").Want(t, http.StatusOK)
	require.NotContains(t, string(response.Body), ids.conversation.String())
	for _, filter := range []string{"agentId=" + ids.agent.String(), "channelId=" + ids.channel.String(), "tagIds=" + ids.tag.String()} {
		require.JSONEq(t, "[]", string(s.Get(t, token, "/conversations?"+filter).Want(t, http.StatusOK).Body))
	}
}

// redeliversNothing requests another workspace's delivery under its webhook and under one
// of the caller's.
func redeliversNothing(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	own := subscribe(t, s, token, "https://hooks.example.com", api.EventTypeLeadCreated).ID
	for _, webhook := range []uuid.UUID{ids.webhook, own} {
		absent(http.MethodPost, "/integrations/"+webhook.String()+"/deliveries/%s/redeliver", "", func(ids foreign) uuid.UUID { return ids.delivery })(t, s, token, ids)
	}
}

// startsNothing names a foreign channel, and a foreign contact with an own channel.
func startsNothing(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	agent := apitest.Decode[[]api.Agent](t, s.Get(t, token, "/agents"))[0].ID
	own := apitest.Decode[api.ChannelDetail](t, s.Post(t, token, "/channels", map[string]any{
		"type": "EMAIL", "name": "Mail", "agentId": agent,
		"config": map[string]any{"fromAddress": "a@example.com", "inbound": "mailgun", "smtp": map[string]any{"host": "example.com", "port": 587, "security": "tls"}},
	}).Want(t, http.StatusCreated)).ID
	s.Post(t, token, "/conversations", map[string]any{"channelId": ids.channel, "to": "anna@example.com", "content": "x"}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownChannel)
	s.Post(t, token, "/conversations", map[string]any{"channelId": own, "contactId": ids.contact, "content": "x"}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownContact)
}

// handsOffNothing names a foreign conversation, and a foreign operator with an own one.
func handsOffNothing(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	absent(http.MethodPost, "/conversations/%s/hand-off", "{}", func(ids foreign) uuid.UUID { return ids.conversation })(t, s, token, ids)
	own := apitest.Decode[[]api.Conversation](t, s.Get(t, token, "/conversations?status=OPEN").Want(t, http.StatusOK))[0].ID
	s.Post(t, token, "/conversations/"+own.String()+"/hand-off", map[string]any{"operatorId": ids.operator}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownOperator)
}

func createsNoChannel(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	s.Post(t, token, "/channels", map[string]any{"type": "WEBSITE", "name": "x", "agentId": ids.agent}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownAgent)
}

// messageIsAbsent tries a foreign message with the foreign conversation and with an own one.
func messageIsAbsent(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	own := apitest.Decode[[]api.Conversation](t, s.Get(t, token, "/conversations").Want(t, http.StatusOK))[0].ID
	for _, conversation := range []uuid.UUID{ids.conversation, own} {
		absent(http.MethodGet, "/conversations/"+conversation.String()+"/messages/%s", "", func(ids foreign) uuid.UUID { return ids.message })(t, s, token, ids)
	}
}

// evaluationIsAbsent requests another workspace's evaluation under its agent and under one of the caller's.
func evaluationIsAbsent(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	own := apitest.Decode[[]api.Agent](t, s.Get(t, token, "/agents").Want(t, http.StatusOK))[0].ID
	for _, agent := range []uuid.UUID{ids.agent, own} {
		absent(http.MethodGet, "/agents/"+agent.String()+"/evaluations/%s", "", func(ids foreign) uuid.UUID { return ids.evaluation })(t, s, token, ids)
	}
}

func bulkSkips(t *testing.T, s *apitest.Server, token string, ids foreign) {
	t.Helper()
	response := s.Post(t, token, "/conversations/bulk", map[string]any{"ids": []uuid.UUID{ids.conversation}, "action": "close"})
	require.JSONEq(t, `{"updated":0,"skipped":1}`, string(response.Want(t, http.StatusOK).Body))
	s.Post(t, token, "/conversations/bulk", map[string]any{"ids": []uuid.UUID{ids.conversation}, "action": "assign", "operatorId": ids.operator}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownOperator)
	s.Post(t, token, "/conversations/bulk", map[string]any{"ids": []uuid.UUID{ids.conversation}, "action": "tag", "tagIds": []uuid.UUID{ids.tag}}).
		Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownTag)
}

// snapshot reads all rows of a workspace.
func snapshot(t *testing.T, s *apitest.Server, workspaceID uuid.UUID) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, table := range []string{"agents", "agent_versions", "agent_evaluations", "agent_evaluation_cases", "agent_runs", "model_providers", "model_budgets", "model_spending", "model_calls", "channels", "operators", "tags", "contacts", "contact_identities", "conversations", "conversation_tags", "conversation_status_changes", "messages", "message_external_ids", "outbound_messages", "attachments", "leads", "integrations", "events", "webhook_deliveries", "knowledge_sources", "knowledge_jobs", "knowledge_pages", "knowledge_documents", "knowledge_chunks"} {
		var rows json.RawMessage
		err := s.DB.QueryRow(t.Context(), "SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY to_jsonb(r)::text), '[]') FROM "+table+" AS r WHERE workspace_id = $1", workspaceID).Scan(&rows)
		require.NoError(t, err)
		all[table] = string(rows)
	}
	return all
}

// TestRowsCannotPointIntoAnotherWorkspace simulates faulty statements.
func TestRowsCannotPointIntoAnotherWorkspace(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, other := s.Demo(t)
	mine := s.Conversation(t, other, api.ConversationStatusOPEN)
	operator := apitest.First[api.Operator](t, s, rich, "/operators")
	tag := apitest.First[api.Tag](t, s, rich, "/tags")
	_, err := s.DB.Exec(t.Context(), "UPDATE conversations SET assigned_operator_id = $1 WHERE workspace_id = $2 AND id = $3", operator.ID, other.ID, mine.ID)
	require.ErrorContains(t, err, "conversations_operator_fkey")
	_, err = s.DB.Exec(t.Context(), "INSERT INTO conversation_tags VALUES ($1, $2, $3)", other.ID, mine.ID, tag.ID)
	require.ErrorContains(t, err, "conversation_tags_tag_fkey")
}
