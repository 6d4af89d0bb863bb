package console_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// desk is a workspace with a conversation of a contact, and a person who is signed in.
type desk struct {
	*person

	space        uuid.UUID
	conversation string // path of its page
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	member(t, s, space)
	d := &desk{space: space}
	d.conversation = "/app/inbox/" + d.begin(t, s, space, "Anna <b>")
	d.person = signedIn(t, s)
	return d
}

// begin stores a conversation with operators in a channel without credentials.
func (*desk) begin(t *testing.T, s *apitest.Server, space uuid.UUID, name string) string {
	t.Helper()
	agentID, channelID, contactID, conversationID := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	now := s.Clock.Now()
	s.Exec(t, "INSERT INTO agents (workspace_id, id, name, status, model_provider, model_name, temperature, max_tokens, created_at, updated_at) VALUES ($1, $2, 'Concierge', 'PUBLISHED', 'openai', 'gpt', 1, 1024, $3, $3)", space, agentID, now)
	s.Exec(t, "INSERT INTO channels (workspace_id, id, type, name, agent_id, created_at) VALUES ($1, $2, 'TELEGRAM', 'Telegram', $3, $4)", space, channelID, agentID, now)
	s.Exec(t, "INSERT INTO contacts (workspace_id, id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)", space, contactID, name, now)
	s.Exec(t, "INSERT INTO contact_identities (workspace_id, channel_id, external_id, contact_id, verified, created_at, last_seen_at) VALUES ($1, $2, '4711', $3, true, $4, $4)", space, channelID, contactID, now)
	s.Exec(t, `INSERT INTO conversations (workspace_id, id, agent_id, channel_id, contact_id, status, identity_external_id, last_inbound_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, 'HANDED_OFF', '4711', $6, $6, $6)`, space, conversationID, agentID, channelID, contactID, now)
	s.Exec(t, `INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, contact_id, delivery_status, revision, created_at)
		VALUES ($1, $2, $3, 'USER', 'Where is <i>my</i> order?', 'CONTACT', $4, 'RECEIVED', 0, $5)`, space, uuid.Must(uuid.NewV7()), conversationID, contactID, now)
	return conversationID.String()
}

func (d *desk) act(t *testing.T, action string, form url.Values) string {
	t.Helper()
	d.post(t, d.conversation+"/"+action, form).want(t, http.StatusSeeOther)
	return d.get(t, d.conversation).want(t, http.StatusOK).Body
}

func TestInboxListsWhatMatches(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := d.s.Workspace(t, "other")
	foreign := d.begin(t, d.s, other, "Stranger")
	for query, shown := range map[string]bool{
		"": true, "?view=unassigned": true, "?view=mine": false, "?view=all&status=HANDED_OFF": true, "?view=all&status=OPEN": false,
		"?q=Ann": true, "?q=Zoe": false, "?q=a@example.com": false, "?channel=" + uuid.NewString(): false, "?tag=" + uuid.NewString(): false,
	} {
		list := d.get(t, "/app/inbox"+query).want(t, http.StatusOK)
		require.Equal(t, shown, strings.Contains(list.Body, d.conversation), query)
		require.NotContains(t, list.Body, foreign)
	}
	list := d.get(t, "/app/inbox")
	for _, part := range []string{"Anna &lt;b&gt;", "Where is &lt;i&gt;my&lt;/i&gt; order?", "With operators", "Waiting", `<span class="count">1</span>`} {
		require.Contains(t, list.Body, part)
	}
	for _, query := range []string{"?view=x", "?status=x", "?channel=x", "?cursor=x"} {
		d.get(t, "/app/inbox"+query).want(t, http.StatusBadRequest)
	}
	for _, path := range []string{foreign, uuid.NewString(), "x"} {
		d.get(t, "/app/inbox/"+path).want(t, http.StatusNotFound)
		d.get(t, "/app/inbox/"+path+"/events?after=0:"+uuid.Nil.String()).want(t, http.StatusNotFound)
		d.post(t, "/app/inbox/"+path+"/close", nil).want(t, http.StatusNotFound)
	}
	d.post(t, d.conversation+"/nothing", nil).want(t, http.StatusNotFound)
}

func TestInboxActions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	quoted := d.get(t, d.conversation).want(t, http.StatusOK).find(t, `data-message="([^"]+)"`)
	shown := d.act(t, "reply", url.Values{"content": {"It is on its way.\r\nSorry"}, "replyTo": {quoted}})
	for _, part := range []string{"It is on its way.\nSorry", "Sending", "assigned to Ola Kowalska", `href="#m-` + quoted} {
		require.Contains(t, shown, part)
	}
	require.Contains(t, d.get(t, "/app/inbox?view=mine").Body, d.conversation)
	require.Contains(t, d.act(t, "reply", url.Values{"content": {" "}}), "Write a message first.")
	require.Contains(t, d.act(t, "tag", url.Values{"name": {"urgent"}}), "Remove the tag urgent")
	tag := d.get(t, d.conversation).find(t, `name="remove" value="([^"]+)"`)
	require.NotContains(t, d.act(t, "tag", url.Values{"remove": {tag}}), "Remove the tag urgent")
	require.NotContains(t, d.act(t, "assign", url.Values{"operator": {""}}), "assigned to")
	require.Contains(t, d.act(t, "assign", url.Values{"operator": {"me"}}), "assigned to Ola Kowalska")
	require.Contains(t, d.act(t, "assign", url.Values{"operator": {uuid.NewString()}}), "notice bad")
	require.Contains(t, d.act(t, "release", nil), "Hand it off to reply")
	require.Contains(t, d.act(t, "reply", url.Values{"content": {"x"}}), "notice bad")
	require.Contains(t, d.act(t, "hand-off", nil), `name="content"`)
	require.Contains(t, d.act(t, "close", nil), "Reopen it to reply")
	require.Contains(t, d.act(t, "reopen", nil), "The agent has this conversation")
	require.Equal(t, []string{
		"conversation.tags_changed", "conversation.tags_changed", "conversation.assigned", "conversation.assigned",
		"conversation.released", "conversation.handed_off", "conversation.closed", "conversation.reopened",
	}, actions(t, d.s, d.space, "conversation."))
	require.Equal(t, []string{"operator_message.sent"}, actions(t, d.s, d.space, "operator_message."))
}

func TestInboxSaysWhyThereCanBeNoReply(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.s.Exec(t, "UPDATE contact_identities SET blocked_at = now()")
	shown := d.get(t, d.conversation).want(t, http.StatusOK).Body
	require.Contains(t, shown, "The contact has blocked the channel")
	require.NotContains(t, shown, `name="content"`)
	d.s.Exec(t, `UPDATE messages SET role = 'ASSISTANT', author_type = 'OPERATOR', contact_id = NULL, delivery_status = 'FAILED', error_code = 'REJECTED', error_message = 'The bot was blocked by the user.', provider_code = '403'`)
	require.Contains(t, d.get(t, d.conversation).Body, "Not delivered: The bot was blocked by the user. (403)")
}

// events opens the stream of a conversation, which the caller closes.
func (d *desk) events(t *testing.T, after, last string) (next func() (id, name string, data map[string]string), end func()) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.s.Origin+d.conversation+"/events?after="+after, nil)
	require.NoError(t, err)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := d.client.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return func() (id, name string, data map[string]string) {
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				require.NoError(t, json.Unmarshal([]byte(value), &data))
				return id, name, data
			}
		}
		require.NoError(t, lines.Err())
		require.Fail(t, "the stream has ended")
		return "", "", nil
	}, func() { _ = response.Body.Close() }
}

func TestInboxStreamsResumeWithoutLoss(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	position := d.get(t, d.conversation).find(t, `data-position="([^"]+)"`)
	next, end := d.events(t, position, "")
	d.act(t, "reply", url.Values{"content": {"one"}})
	_, name, data := next()
	require.Equal(t, "message", name)
	require.Contains(t, data["html"], "one")
	first := data["id"]
	id, name, data := next()
	require.Equal(t, "conversation", name)
	require.Contains(t, data["head"], "assigned to Ola Kowalska")
	end()
	d.act(t, "reply", url.Values{"content": {"two"}})
	d.act(t, "reply", url.Values{"content": {"three"}})
	next, end = d.events(t, position, id)
	defer end()
	for _, text := range []string{"two", "three"} {
		_, name, data = next()
		require.Equal(t, "message", name)
		require.NotEqual(t, first, data["id"], "it was received before the interruption")
		require.Contains(t, data["html"], text)
	}
	_, name, data = next()
	require.Equal(t, "conversation", name)
	require.Contains(t, data["head"], string(api.ConversationStatusHANDEDOFF))
	newPerson(t, d.s).get(t, d.conversation+"/events?after="+position).want(t, http.StatusUnauthorized)
	d.get(t, d.conversation+"/events?after=x").want(t, http.StatusBadRequest)
	var refused bool
	for range 14 { // a user has at most 12
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.s.Origin+d.conversation+"/events?after="+position, nil)
		require.NoError(t, err)
		response, err := d.client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		refused = refused || response.StatusCode == http.StatusTooManyRequests
	}
	require.True(t, refused)
}
