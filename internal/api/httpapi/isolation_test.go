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
	"github.com/avelto/convo/internal/testing/testdb"
)

func newDatabase(t *testing.T) string {
	t.Helper()
	return testdb.URL(t)
}

// foreign holds IDs of a workspace that the caller's token does not belong to.
type foreign struct {
	lead, conversation, agent, channel, operator, tag, webhook, delivery, job, source uuid.UUID
}

// decision tests an operation with IDs of another workspace.
type decision func(t *testing.T, s *apitest.Server, token string, ids foreign)

// TestNoOperationCrossesWorkspaces calls every operation of the document with the token of
// one workspace and IDs of another. It fails for operations without a decision.
//
//nolint:tparallel // checks the database after the subtests
func TestNoOperationCrossesWorkspaces(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
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
	s.Post(t, rich.Token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
	s.Sequence(t)
	ids.delivery = deliveries(t, s, rich.Token, ids.webhook)[0].ID
	job := apitest.Decode[api.KnowledgeJob](t, s.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/knowledge/upload", Token: rich.Token, Body: "shoes", Header: map[string]string{"Content-Type": "text/plain"},
	}).Want(t, http.StatusAccepted))
	ids.job, ids.source = job.ID, *job.SourceID
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
		"getAnalyticsTimeseries":  hides("/analytics/timeseries?groupBy=channel&granularity=month&from=2026-01-01T00:00:00Z", func(ids foreign) []uuid.UUID { return []uuid.UUID{ids.channel} }),
		"listConversations":       filtersHide,
		"bulkUpdateConversations": bulkSkips,

		"getLead":                  absent(http.MethodGet, "/leads/%s", "", func(ids foreign) uuid.UUID { return ids.lead }),
		"updateLead":               absent(http.MethodPatch, "/leads/%s", `{"score":1}`, func(ids foreign) uuid.UUID { return ids.lead }),
		"deleteLead":               absent(http.MethodDelete, "/leads/%s", "", func(ids foreign) uuid.UUID { return ids.lead }),
		"updateLeadStatus":         absent(http.MethodPatch, "/leads/%s/status", `{"status":"WON"}`, func(ids foreign) uuid.UUID { return ids.lead }),
		"getConversation":          absent(http.MethodGet, "/conversations/%s", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"listConversationMessages": absent(http.MethodGet, "/conversations/%s/messages", "", func(ids foreign) uuid.UUID { return ids.conversation }),
		"getTag":                   absent(http.MethodGet, "/tags/%s", "", func(ids foreign) uuid.UUID { return ids.tag }),
		"sendOperatorMessage":      absent(http.MethodPost, "/conversations/%s/operator-message", `{"content":"x"}`, func(ids foreign) uuid.UUID { return ids.conversation }),
		"getAgent":                 absent(http.MethodGet, "/agents/%s", "", func(ids foreign) uuid.UUID { return ids.agent }),
		"updateAgent":              absent(http.MethodPatch, "/agents/%s", `{"name":"x"}`, func(ids foreign) uuid.UUID { return ids.agent }),

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
	for _, table := range []string{"agents", "channels", "operators", "tags", "contacts", "conversations", "conversation_tags", "conversation_status_changes", "messages", "leads", "integrations", "events", "webhook_deliveries", "knowledge_sources", "knowledge_jobs", "knowledge_pages", "knowledge_documents", "knowledge_chunks"} {
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
