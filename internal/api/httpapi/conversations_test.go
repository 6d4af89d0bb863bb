package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestListConversationsFilters(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	all := apitest.Decode[[]api.Conversation](t, s.Get(t, rich.Token, "/conversations?limit=200").Want(t, http.StatusOK))
	require.Len(t, all, 38)
	tags := apitest.Decode[[]api.Tag](t, s.Get(t, rich.Token, "/tags").Want(t, http.StatusOK))
	tagged := map[uuid.UUID]map[uuid.UUID]bool{}
	for _, c := range all {
		tagged[c.ID] = map[uuid.UUID]bool{}
		for _, tag := range detail(t, s, rich.Token, c.ID).Tags {
			tagged[c.ID][tag.ID] = true
		}
	}
	one, two := tags[0].ID, tags[1].ID
	agent, channel := all[0].AgentID, all[0].ChannelID
	for query, matches := range map[string]func(api.Conversation) bool{
		"agentId=" + agent.String():     func(c api.Conversation) bool { return c.AgentID == agent },
		"channelId=" + channel.String(): func(c api.Conversation) bool { return c.ChannelID == channel },
		"status=OPEN":                   func(c api.Conversation) bool { return c.Status == api.ConversationStatusOPEN },
		"tagIds=" + one.String():        func(c api.Conversation) bool { return tagged[c.ID][one] },
		"tagIds=" + one.String() + "," + two.String() + "," + one.String(): func(c api.Conversation) bool {
			return tagged[c.ID][one] && tagged[c.ID][two]
		},
		"tagIds=" + two.String() + "&status=CLOSED&agentId=" + agent.String(): func(c api.Conversation) bool {
			return tagged[c.ID][two] && c.Status == api.ConversationStatusCLOSED && c.AgentID == agent
		},
		"agentId=" + uuid.NewString(): func(api.Conversation) bool { return false },
	} {
		want := []uuid.UUID{}
		for _, c := range all {
			if matches(c) {
				want = append(want, c.ID)
			}
		}
		require.Equal(t, want, walkPages(t, s, rich.Token, "/conversations?"+query, 0), query)
		require.Equal(t, want, walkPages(t, s, rich.Token, "/conversations?"+query, 2), query)
	}
	s.Get(t, rich.Token, "/conversations?tagIds=x,"+one.String()).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Get(t, rich.Token, "/conversations?tagIds="+one.String()+",").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Get(t, rich.Token, "/conversations?status=OPEN&status=OPEN").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func detail(t *testing.T, s *apitest.Server, token string, id uuid.UUID) api.ConversationDetail {
	t.Helper()
	return apitest.Decode[api.ConversationDetail](t, s.Get(t, token, "/conversations/"+id.String()).Want(t, http.StatusOK))
}

func TestGetConversationReturnsAllMessages(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	seen := map[api.MessageAuthorType]bool{}
	for _, c := range apitest.Decode[[]api.Conversation](t, s.Get(t, rich.Token, "/conversations?limit=200").Want(t, http.StatusOK)) {
		d := detail(t, s, rich.Token, c.ID)
		require.NotEmpty(t, d.Messages)
		require.Equal(t, c.AssignedOperatorID == nil, d.AssignedOperator == nil)
		for i, m := range d.Messages {
			seen[m.Author.Type] = true
			require.Equal(t, m.Author.Type == api.MessageAuthorTypeCONTACT, m.Role == api.MessageRoleUSER)
			require.NotNil(t, m.Author.ID)
			if i > 0 {
				require.False(t, m.CreatedAt.Before(d.Messages[i-1].CreatedAt.Time), "oldest first")
			}
		}
	}
	require.Len(t, seen, 3, "contact, agent and operator all speak in the demo data")
}

func TestOperatorMessageIsStoredAndQueued(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	s.Clock.Advance(time.Hour) // past the demo's last message
	c := s.Conversation(t, rich, api.ConversationStatusHANDEDOFF)
	operator := apitest.First[api.Operator](t, s, rich, "/operators")
	s.Post(t, rich.Token, "/conversations/bulk", map[string]any{"ids": []uuid.UUID{c.ID}, "action": "assign", "operatorId": operator.ID}).Want(t, http.StatusOK)
	response := s.Post(t, rich.Token, "/conversations/"+c.ID.String()+"/operator-message", `{"content":"Cześć 👋"}`).Want(t, http.StatusCreated)
	message := apitest.Decode[api.Message](t, response)
	require.Equal(t, api.MessageRoleASSISTANT, message.Role)
	require.Equal(t, "Cześć 👋", message.Content)
	require.Equal(t, api.DeliveryStatusQUEUED, message.DeliveryStatus)
	require.Equal(t, api.MessageAuthor{Type: api.MessageAuthorTypeOPERATOR, ID: &operator.ID}, message.Author)
	d := detail(t, s, rich.Token, c.ID)
	require.Equal(t, message, d.Messages[len(d.Messages)-1])
	require.Equal(t, message.CreatedAt.Time, d.LastMessageAt.Time)
	require.Equal(t, 1, countQueued(t, s, message.ID))
}

func countQueued(t *testing.T, s *apitest.Server, messageID uuid.UUID) int {
	t.Helper()
	var queued int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM outbound_messages WHERE message_id = $1", messageID).Scan(&queued))
	return queued
}

func TestOperatorMessageRequiresHandOff(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	for status, code := range map[api.ConversationStatus]api.ErrorCode{
		api.ConversationStatusOPEN: api.ErrorCodeConversationNotHandedOff, api.ConversationStatusCLOSED: api.ErrorCodeConversationClosed,
	} {
		c := s.Conversation(t, rich, status)
		before := detail(t, s, rich.Token, c.ID)
		s.Post(t, rich.Token, "/conversations/"+c.ID.String()+"/operator-message", `{"content":"x"}`).Problem(t, http.StatusConflict, code)
		require.Equal(t, before, detail(t, s, rich.Token, c.ID), "nothing is stored on refusal")
	}
	c := s.Conversation(t, rich, api.ConversationStatusHANDEDOFF)
	path := "/conversations/" + c.ID.String() + "/operator-message"
	for _, body := range []string{`{}`, `{"content":""}`, `{"content":7}`} {
		s.Post(t, rich.Token, path, body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
	s.Post(t, rich.Token, path, map[string]string{"content": strings.Repeat("🦊", 4097)}).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Post(t, rich.Token, path, map[string]string{"content": strings.Repeat("🦊", 4096)}).Want(t, http.StatusCreated)
}

func bulk(t *testing.T, s *apitest.Server, token string, body map[string]any) api.BulkResult {
	t.Helper()
	return apitest.Decode[api.BulkResult](t, s.Post(t, token, "/conversations/bulk", body).Want(t, http.StatusOK))
}

func TestBulkUpdateCountsUpdatedAndSkipped(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	open := s.Conversation(t, rich, api.ConversationStatusOPEN).ID
	handed := s.Conversation(t, rich, api.ConversationStatusHANDEDOFF).ID
	closed := s.Conversation(t, rich, api.ConversationStatusCLOSED).ID
	all := []uuid.UUID{open, handed, closed, uuid.New(), open}
	s.Clock.Advance(time.Hour)
	require.Equal(t, api.BulkResult{Updated: 2, Skipped: 2}, bulk(t, s, rich.Token, map[string]any{"ids": all, "action": "close"}))
	require.Equal(t, api.BulkResult{Updated: 0, Skipped: 4}, bulk(t, s, rich.Token, map[string]any{"ids": all, "action": "close"}))
	require.Equal(t, api.BulkResult{Updated: 3, Skipped: 1}, bulk(t, s, rich.Token, map[string]any{"ids": all, "action": "reopen"}))
	for _, id := range []uuid.UUID{open, handed, closed} {
		d := detail(t, s, rich.Token, id)
		require.Equal(t, api.ConversationStatusOPEN, d.Status)
		require.Equal(t, s.Clock.Now(), d.UpdatedAt.Time)
	}
	operator := apitest.First[api.Operator](t, s, rich, "/operators").ID
	s.Exec(t, "UPDATE conversations SET assigned_operator_id = NULL WHERE id = ANY($1)", all)
	assign := map[string]any{"ids": all, "action": "assign", "operatorId": operator}
	require.Equal(t, api.BulkResult{Updated: 3, Skipped: 1}, bulk(t, s, rich.Token, assign))
	require.Equal(t, api.BulkResult{Updated: 0, Skipped: 4}, bulk(t, s, rich.Token, assign))
	require.Equal(t, operator, detail(t, s, rich.Token, open).AssignedOperator.ID)
	unassign := map[string]any{"ids": all, "action": "assign", "operatorId": nil}
	require.Equal(t, api.BulkResult{Updated: 3, Skipped: 1}, bulk(t, s, rich.Token, unassign))
	require.Nil(t, detail(t, s, rich.Token, open).AssignedOperator)
}

func TestBulkUpdateTagsAndUntags(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	ids := walkPages(t, s, rich.Token, "/conversations?status=OPEN", 0)
	tags := []uuid.UUID{}
	for _, name := range []string{"fresh", "fresher"} {
		tags = append(tags, apitest.Decode[api.Tag](t, s.Post(t, rich.Token, "/tags", map[string]string{"name": name}).Want(t, http.StatusCreated)).ID)
	}
	size := int32(len(ids))
	require.Equal(t, api.BulkResult{Updated: 1, Skipped: 0}, bulk(t, s, rich.Token, map[string]any{"ids": ids[:1], "action": "tag", "tagIds": tags[:1]}))
	require.Equal(t, api.BulkResult{Updated: size}, bulk(t, s, rich.Token, map[string]any{"ids": ids, "action": "tag", "tagIds": append(tags, tags...)}))
	require.Equal(t, api.BulkResult{Skipped: size}, bulk(t, s, rich.Token, map[string]any{"ids": ids, "action": "tag", "tagIds": tags}))
	require.Equal(t, ids, walkPages(t, s, rich.Token, "/conversations?tagIds="+tags[0].String()+","+tags[1].String(), 0))
	require.Equal(t, api.BulkResult{Updated: size}, bulk(t, s, rich.Token, map[string]any{"ids": ids, "action": "untag", "tagIds": tags[:1]}))
	require.Empty(t, walkPages(t, s, rich.Token, "/conversations?tagIds="+tags[0].String(), 0))
}

func TestBulkUpdateRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	id := s.Conversation(t, rich, api.ConversationStatusOPEN).ID
	tag := apitest.First[api.Tag](t, s, rich, "/tags").ID
	before := detail(t, s, rich.Token, id)
	post := func(body map[string]any) apitest.Response { return s.Post(t, rich.Token, "/conversations/bulk", body) }
	post(map[string]any{"ids": []uuid.UUID{id}, "action": "assign", "operatorId": uuid.New()}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownOperator)
	post(map[string]any{"ids": []uuid.UUID{id}, "action": "tag", "tagIds": []uuid.UUID{tag, uuid.New()}}).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownTag)
	tooMany := make([]uuid.UUID, 201)
	for i := range tooMany {
		tooMany[i] = uuid.New()
	}
	for want, body := range map[string]map[string]any{
		"body.ids must contain at least 1 item":                        {"ids": []uuid.UUID{}, "action": "close"},
		"body.ids must contain at most 200 items":                      {"ids": tooMany, "action": "close"},
		"body.ids.0 must be a UUID":                                    {"ids": []string{"uuid-1"}, "action": "close"},
		"body.operatorId is required":                                  {"ids": []uuid.UUID{id}, "action": "assign"},
		"body.tagIds is required":                                      {"ids": []uuid.UUID{id}, "action": "tag"},
		"body.tagIds is not a known property":                          {"ids": []uuid.UUID{id}, "action": "close", "tagIds": []uuid.UUID{tag}},
		"body.operatorId is not a known property":                      {"ids": []uuid.UUID{id}, "action": "untag", "tagIds": []uuid.UUID{tag}, "operatorId": nil},
		"body.action must be one of close, reopen, assign, tag, untag": {"ids": []uuid.UUID{id}, "action": "delete"},
	} {
		problem := post(body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, want, (*problem.Errors)[0].Location+" "+(*problem.Errors)[0].Message)
	}
	require.Equal(t, before, detail(t, s, rich.Token, id))
	require.Equal(t, api.BulkResult{Skipped: 200}, bulk(t, s, rich.Token, map[string]any{"ids": tooMany[:200], "action": "close"}))
}

func TestTagNamesAreUnique(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	response := s.Post(t, token, "/tags", `{"name":"VIP"}`).Want(t, http.StatusCreated)
	tag := apitest.Decode[api.Tag](t, response)
	require.Equal(t, "VIP", tag.Name)
	require.Equal(t, "/api/v1/tags/"+tag.ID.String(), response.Header.Get("Location"))
	s.Post(t, token, "/tags", `{"name":"vip"}`).Problem(t, http.StatusConflict, api.ErrorCodeTagExists)
	elsewhere := s.Token(t, s.Workspace(t, "elsewhere"))
	s.Post(t, elsewhere, "/tags", `{"name":"vip"}`).Want(t, http.StatusCreated)
	require.Len(t, walkPages(t, s, token, "/tags", 1), 1)
}

func TestListOperators(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	operators := apitest.Decode[[]api.Operator](t, s.Get(t, rich.Token, "/operators").Want(t, http.StatusOK))
	require.Len(t, operators, 3)
	require.Equal(t, "Ola Kowalska", operators[2].Name, "newest first")
	require.Len(t, walkPages(t, s, rich.Token, "/operators", 2), 3)
}

func TestNamesAreNormalized(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	create := func(name string) apitest.Response {
		return s.Post(t, token, "/tags", map[string]string{"name": name})
	}
	created := create("  Z\u0307o\u0301łw\u00a0").Want(t, http.StatusCreated)
	tag := apitest.Decode[api.Tag](t, created)
	require.Equal(t, "Żółw", tag.Name)
	require.Equal(t, tag, apitest.Decode[api.Tag](t, s.Get(t, token, strings.TrimPrefix(created.Header.Get("Location"), spec.BasePath)).Want(t, http.StatusOK)))
	create("STRASSE").Want(t, http.StatusCreated)
	for _, taken := range []string{"żółw", "ŻÓŁW", "straße"} {
		create(taken).Problem(t, http.StatusConflict, api.ErrorCodeTagExists)
	}
	for _, invisible := range []string{"v\u200bip", "\u202evip", "\u3164"} {
		refused := create(invisible).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		require.Equal(t, "body.name", (*refused.Errors)[0].Location)
		s.Post(t, token, "/agents", map[string]string{"name": invisible, "modelProvider": "openai", "modelName": "m"}).
			Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}
