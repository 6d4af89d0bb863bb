package httpapi_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

// writingCalls are calls of every operation that writes, in a workspace with the demo data.
func writingCalls(t *testing.T, s *apitest.Server, in apitest.Space) map[string]apitest.Request {
	t.Helper()
	receiver := apitest.NewReceiver(t, nil)
	calls := map[string]apitest.Request{}
	for operation, post := range keyedPosts(t, s, in, receiver.URL) {
		r := post.request(0)
		r.Method = http.MethodPost
		calls[operation] = r
	}
	lead := func() string {
		created := s.Post(t, in.Token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated)
		return "/leads/" + apitest.Decode[api.Lead](t, created).ID.String()
	}
	agent := "/agents/" + apitest.First[api.Agent](t, s, in, "/agents").ID.String()
	webhook := "/integrations/" + subscribe(t, s, in.Token, "https://hooks.example.com", "lead.created").ID.String()
	doomed := "/integrations/" + subscribe(t, s, in.Token, "https://hooks.example.com", "lead.created").ID.String()
	crawl := s.Post(t, in.Token, "/knowledge/crawl", `{"url":"https://docs.example.com/doomed"}`).Want(t, http.StatusAccepted)
	source := "/knowledge/sources/" + apitest.Decode[api.KnowledgeJob](t, crawl).SourceID.String()
	phone, fax := newPhone(t, s, in.Token), newPhone(t, s, in.Token)
	contact := func(to string) string {
		started := s.Post(t, in.Token, "/conversations", map[string]any{"channelId": phone.ID, "to": to, "content": "Hello"}).Want(t, http.StatusCreated)
		return "/contacts/" + apitest.Decode[api.ConversationDetail](t, started).Contact.ID.String()
	}
	s.Patch(t, in.Token, "/model-providers/openai", `{"apiKey":"doomed"}`).Want(t, http.StatusOK)
	operator := "/operators/" + apitest.First[api.Operator](t, s, in, "/operators").ID.String()
	maps.Copy(calls, map[string]apitest.Request{
		"updateChannel":         {Method: http.MethodPatch, Path: "/channels/" + phone.ID.String(), Body: `{"config":{"from":"+48987654321"}}`},
		"deleteChannel":         {Method: http.MethodDelete, Path: "/channels/" + fax.ID.String()},
		"updateContact":         {Method: http.MethodPatch, Path: contact("+48111"), Body: `{"name":"Renamed"}`},
		"deleteContact":         {Method: http.MethodDelete, Path: contact("+48222")},
		"updateOperator":        {Method: http.MethodPatch, Path: operator, Body: `{"name":"Renamed"}`},
		"updateLead":            {Method: http.MethodPatch, Path: lead(), Body: `{"score":7}`},
		"updateLeadStatus":      {Method: http.MethodPatch, Path: lead() + "/status", Body: `{"status":"WON"}`},
		"deleteLead":            {Method: http.MethodDelete, Path: lead()},
		"updateAgent":           {Method: http.MethodPatch, Path: agent, Body: `{"name":"Renamed"}`},
		"updateModelProvider":   {Method: http.MethodPatch, Path: "/model-providers/anthropic", Body: `{"apiKey":"k"}`},
		"updateModelBudget":     {Method: http.MethodPatch, Path: "/model-budget", Body: `{"currency":"PLN"}`},
		"deleteModelProvider":   {Method: http.MethodDelete, Path: "/model-providers/openai"},
		"updateIntegration":     {Method: http.MethodPatch, Path: webhook, Body: `{"status":"DISABLED"}`},
		"deleteIntegration":     {Method: http.MethodDelete, Path: doomed},
		"deleteKnowledgeSource": {Method: http.MethodDelete, Path: source},
	})
	return calls
}

// auditLog returns the operations, targets and request IDs of the audit log.
func auditLog(t *testing.T, s *apitest.Server) []string {
	t.Helper()
	s.Sequence(t)
	rows, err := s.DB.Query(t.Context(), "SELECT action || ' ' || target || ' ' || request_id FROM audit_entries ORDER BY id")
	require.NoError(t, err)
	entries, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return entries
}

// TestEveryChangeIsCommittedWithItsAuditEntry calls each operation that writes: first while
// the database refuses audit entries, when nothing may change, and then again.
func TestEveryChangeIsCommittedWithItsAuditEntry(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Providers: channeltest.Registry(), Config: apitest.Config{AllowedTargets: []string{"127.0.0.0/8", "::1/128"}}})
	rich, _ := s.Demo(t)
	calls := writingCalls(t, s, rich)
	s.Sequence(t)
	for _, table := range []string{"audit_entries", "event_outbox"} {
		s.Exec(t, "ALTER TABLE "+table+" ADD CONSTRAINT refuses CHECK (request_id IS NULL OR request_id <> 'refused')")
	}
	for _, o := range s.Document.Operations {
		if !o.Writes() {
			continue
		}
		r, ok := calls[o.ID]
		require.True(t, ok, "no call of %s", o.ID)
		r.Token = rich.Token
		withID := func(requestID string) apitest.Response {
			header := map[string]string{"X-Request-Id": requestID}
			maps.Copy(header, r.Header)
			refused := r
			refused.Header = header
			return s.Do(t, refused)
		}
		before, entries := snapshot(t, s, rich.ID), len(auditLog(t, s))
		withID("refused").Problem(t, http.StatusInternalServerError, api.ErrorCodeInternalError)
		if o.ID != "testIntegration" { // its effect is outside the database
			require.Equal(t, before, snapshot(t, s, rich.ID), "%s changed something without an audit entry", o.ID)
		}
		require.Len(t, auditLog(t, s), entries, o.ID)

		response := withID("accepted")
		require.Less(t, response.Status, http.StatusMultipleChoices, "%s: %s", o.ID, response.Body)
		target := response.Header.Get("Location")
		if target == "" {
			target = "/api/v1" + r.Path
		}
		after := auditLog(t, s)
		require.Len(t, after, entries+1, o.ID)
		require.Equal(t, o.ID+" "+target+" accepted", after[entries])
	}
}

// TestRefusedRequestsAreNotRecorded sends requests that are refused at different points.
func TestRefusedRequestsAreNotRecorded(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	lead := apitest.Decode[api.Lead](t, s.Post(t, token, "/leads", `{"fields":{"name":"A"}}`).Want(t, http.StatusCreated))
	before := auditLog(t, s)
	s.Post(t, token, "/leads", `{"fields":{}}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Patch(t, token, "/leads/"+lead.ID.String(), `{"fields":{"name":null}}`).Want(t, http.StatusUnprocessableEntity)
	s.Do(t, apitest.Request{Method: http.MethodDelete, Path: "/leads/019684aa-5e00-7c3a-9f21-6a0b5f1d2e01", Token: token}).Want(t, http.StatusNotFound)
	require.Equal(t, before, auditLog(t, s))
}
