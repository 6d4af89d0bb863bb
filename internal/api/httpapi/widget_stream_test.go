package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestVisitorTalksToAnOperator(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, map[string]any{"title": "Help", "locale": "pl"})
	v := s.visit(t)
	require.Regexp(t, "^vis_[0-9a-f]{32}$", v.VisitorID)
	require.Equal(t, "Help", v.Channel.Title)
	require.Nil(t, v.Conversation)
	require.Empty(t, v.history(t))
	stream := v.follow(t, "")
	sent := v.say(t, "Do you have these shoes in 39?")
	require.Equal(t, api.ConversationStatusOPEN, status(t, stream.Next(t, "conversation")))
	require.Equal(t, sent, message(t, stream.Next(t, "message")))

	s.handOff(t)
	require.Equal(t, api.ConversationStatusHANDEDOFF, status(t, stream.Next(t, "conversation")))
	started := time.Now()
	s.reply(t, "Yes, in blue.")
	reply := message(t, stream.Next(t, "message"))
	require.Less(t, time.Since(started), 5*time.Second, "by a hint, not by the check that none was lost")
	require.Equal(t, "Yes, in blue.", reply.Content)
	require.Equal(t, api.WidgetAuthor{Type: api.MessageAuthorTypeOPERATOR}, reply.Author)
	require.Equal(t, []api.WidgetMessage{reply, sent}, v.history(t))

	s.Exec(t, "UPDATE messages SET delivery_status = 'SENT' WHERE role = 'ASSISTANT'")
	v.Post(t, v.Token, "/widget/read", map[string]any{"messageId": reply.ID}).Want(t, http.StatusNoContent)
	require.Equal(t, api.DeliveryStatusREAD, message(t, stream.Next(t, "message")).DeliveryStatus)
	v.Post(t, v.Token, "/widget/typing", `{"on":true}`).Want(t, http.StatusNoContent)

	again := apitest.Decode[api.WidgetSession](t, s.begin(t, map[string]any{"visitorId": v.VisitorID}).Want(t, http.StatusCreated))
	require.Equal(t, s.conversation(t), again.Conversation.ID)
	require.Equal(t, v.VisitorID, again.VisitorID)
	s.Post(t, s.token, "/conversations/"+s.conversation(t).String()+"/close", nil).Want(t, http.StatusOK)
	require.Equal(t, api.ConversationStatusCLOSED, status(t, stream.Next(t, "conversation")))
	v.say(t, "One more thing")
	require.Equal(t, api.ConversationStatusOPEN, status(t, stream.Next(t, "conversation")), "the stream goes on with a new conversation")
	require.Equal(t, "One more thing", message(t, stream.Next(t, "message")).Content)
	require.Zero(t, stream.Waiting())
}

// TestVisitorSeesThatAnOperatorWrites reports it at another server. What the visitor writes is
// not shown to the visitor.
func TestVisitorSeesThatAnOperatorWrites(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	other := apitest.New(t, apitest.Options{DatabaseURL: s.DatabaseURL})
	v := s.visit(t)
	v.say(t, "Hi")
	stream := v.follow(t, "")
	stream.Next(t, "conversation")
	stream.Next(t, "message")
	path := "/conversations/" + s.conversation(t).String() + "/typing"
	report := func(on bool) apitest.Response { return other.Post(t, s.token, path, map[string]any{"on": on}) }
	report(true).Problem(t, http.StatusConflict, api.ErrorCodeConversationNotHandedOff)
	s.handOff(t)
	stream.Next(t, "conversation")
	v.Post(t, v.Token, "/widget/typing", `{"on":true}`).Want(t, http.StatusNoContent)
	for _, on := range []bool{true, false} {
		report(on).Want(t, http.StatusNoContent)
		require.Equal(t, api.WidgetTypingEvent{Author: api.MessageAuthorTypeOPERATOR, On: on}, typing(t, stream.Next(t, "typing")))
	}
	s.Post(t, s.token, "/conversations/"+s.conversation(t).String()+"/close", nil).Want(t, http.StatusOK)
	report(true).Problem(t, http.StatusConflict, api.ErrorCodeConversationClosed)
}

func typing(t *testing.T, event apitest.StreamEvent) (typing api.WidgetTypingEvent) {
	t.Helper()
	require.NoError(t, json.Unmarshal(event.Data, &typing))
	return typing
}

// TestStreamResumesOnAnyReplica interrupts a stream after each event, and continues it at
// alternating servers: nothing is lost, and nothing comes twice.
func TestStreamResumesOnAnyReplica(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	other := apitest.New(t, apitest.Options{DatabaseURL: s.DatabaseURL})
	v := s.visit(t)
	var want, got []string
	stream := v.follow(t, "")
	for i := range 12 {
		want = append(want, v.say(t, fmt.Sprint("live ", i)).Content)
		if i == 0 {
			stream.Next(t, "conversation")
		}
		event := stream.Next(t, "message")
		require.NotEmpty(t, event.ID)
		got = append(got, message(t, event).Content)
		stream.Close()
		want = append(want, v.say(t, fmt.Sprint("meanwhile ", i)).Content)
		stream = v.on([]*apitest.Server{s.Server, other}[i%2]).follow(t, event.ID)
		stream.Next(t, "conversation")
		got = append(got, message(t, stream.Next(t, "message")).Content)
	}
	require.Equal(t, want, got)
	require.Zero(t, stream.Waiting())
}

// TestUnknownPositionsBeginAgain resumes from positions that do not exist: the stream begins
// with the conversation, and goes on.
func TestUnknownPositionsBeginAgain(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	first := v.say(t, "first")
	id := s.conversation(t).String()
	for _, last := range []string{id + ":999999999999999999", id + ":7", uuid.NewString() + ":1", "------------------------------------:1"} {
		stream := v.follow(t, last)
		stream.Next(t, "conversation")
		require.Equal(t, first, message(t, stream.Next(t, "message")), last)
		stream.Close()
	}
	stream := v.follow(t, id+":999999999999999999")
	stream.Next(t, "conversation")
	stream.Next(t, "message")
	v.say(t, "second")
	require.Equal(t, "second", message(t, stream.Next(t, "message")).Content)
}

// TestLongAbsenceIsCaughtUp has more changes than a page, many of them in one revision.
func TestLongAbsenceIsCaughtUp(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	v.say(t, "first")
	stream := v.follow(t, "")
	stream.Next(t, "conversation")
	last := stream.Next(t, "message").ID
	stream.Close()
	const count = 250
	s.Exec(t, `UPDATE conversations SET revision = 9`)
	s.Exec(t, `INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, delivery_status, revision, created_at)
		SELECT workspace_id, gen_random_uuid(), id, 'ASSISTANT', n::text, 'OPERATOR', 'SENT', 5 + n / 200, now() FROM conversations, generate_series(1, $1::int) AS n`, count)
	for _, stopAfter := range []int{count, 120} {
		seen := map[string]int{}
		stream, at := v.follow(t, last), last
		stream.Next(t, "conversation")
		for len(seen) < count {
			event := stream.Next(t, "message")
			seen[message(t, event).Content]++
			if event.ID != "" {
				at = event.ID
			}
			if len(seen) == stopAfter {
				stream.Close()
				break
			}
		}
		if stopAfter == count {
			require.Contains(t, at, ":9")
			continue
		}
		stream = v.follow(t, at)
		stream.Next(t, "conversation")
		for len(seen) < count {
			seen[message(t, stream.Next(t, "message")).Content]++
		}
	}
	fresh := v.follow(t, "")
	fresh.Next(t, "conversation")
	for range 100 {
		fresh.Next(t, "message")
	}
	v.say(t, "after")
	require.Equal(t, "after", message(t, fresh.Next(t, "message")).Content, "a new stream begins with the latest 100 messages")
}

// TestLostHintIsFound changes a conversation without any hint.
func TestLostHintIsFound(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	stream := v.follow(t, "")
	silent := apitest.New(t, apitest.Options{DatabaseURL: s.DatabaseURL})
	v.say(t, "Hi")
	stream.Next(t, "conversation")
	stream.Next(t, "message")
	s.Exec(t, "UPDATE conversations SET status = 'CLOSED', revision = revision + 1")
	require.Equal(t, api.ConversationStatusCLOSED, status(t, stream.Next(t, "conversation")))
	require.NotNil(t, silent)
}

func TestMessageIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v, other, id := s.visit(t), s.visit(t), uuid.NewString()
	var running sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		running.Go(func() { statuses[i] = v.send(t, id, "Hi").Status })
	}
	running.Wait()
	created := 0
	for _, one := range statuses {
		if one == http.StatusCreated {
			created++
		} else {
			require.Equal(t, http.StatusOK, one)
		}
	}
	require.Equal(t, 1, created)
	require.Len(t, v.history(t), 1)
	require.Equal(t, id, *v.history(t)[0].ClientMessageID)
	other.send(t, id, "Hello").Want(t, http.StatusCreated) // the ID of another visitor's message
	require.Len(t, v.history(t), 1)
	require.Equal(t, "Hello", other.history(t)[0].Content)
	v.send(t, uuid.NewString(), " \n").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}
