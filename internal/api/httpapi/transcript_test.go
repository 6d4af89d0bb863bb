package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

const longTranscript = 10_000 // messages

// lengthen adds messages of 1 KB to a conversation. They do not compress well.
func lengthen(t *testing.T, s *apitest.Server, in apitest.Space, conversationID uuid.UUID, messages int) {
	t.Helper()
	s.Exec(t, `INSERT INTO messages (workspace_id, id, conversation_id, role, content, author_type, contact_id, delivery_status, created_at)
		SELECT c.workspace_id, uuid_v7(now()), c.id, 'USER', (SELECT string_agg(md5(n::text || i::text), '') FROM generate_series(1, 31) AS i), 'CONTACT', c.contact_id, 'RECEIVED', now()
		FROM conversations AS c, generate_series(1, $3) AS n WHERE c.workspace_id = $1 AND c.id = $2`, in.ID, conversationID, messages)
}

// slowly sends a request and returns its body without reading it. The client's buffer is
// small, so the server cannot hand the response to the kernel and move on.
func slowly(t *testing.T, s *apitest.Server, token, path, encoding string) io.ReadCloser {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = connection.(*net.TCPConn).SetReadBuffer(256 << 10)
		}
		return connection, err
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept-Encoding", encoding)
	response, err := (&http.Transport{DialContext: dial, DisableKeepAlives: true}).RoundTrip(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	t.Cleanup(func() { response.Body.Close() })
	return response.Body
}

func heapInUse() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// TestLongTranscriptsNeedLittleMemoryAndNoConnection has more callers than the pool has
// connections. Each stops reading in the middle of 11 MB.
//
//nolint:paralleltest // measures the memory of the process
func TestLongTranscriptsNeedLittleMemoryAndNoConnection(t *testing.T) {
	s := apitest.New(t, apitest.Options{MaxConns: 2})
	rich, _ := s.Demo(t)
	conversation := s.Conversation(t, rich, api.ConversationStatusOPEN)
	lengthen(t, s, rich, conversation.ID, longTranscript)
	path := "/conversations/" + conversation.ID.String()
	const callers = 8
	before := heapInUse()
	bodies := make([]io.ReadCloser, callers)
	for i := range bodies {
		bodies[i] = slowly(t, s, rich.Token, path, "identity")
		_, err := io.CopyN(io.Discard, bodies[i], 64<<10)
		require.NoError(t, err)
	}
	// A response that has not filled the buffers of the sockets yet is still being made.
	require.Eventually(t, func() bool { return heapInUse()-before < callers<<20 }, 15*time.Second, 100*time.Millisecond, "a caller costs more than 1 MiB")
	s.Get(t, rich.Token, "/tags").Want(t, http.StatusOK) // has a connection
	for _, body := range bodies[1:] {
		body.Close()
	}
	rest, err := io.ReadAll(bodies[0])
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(rest), "}]}\n"))
	detail := apitest.Decode[api.ConversationDetail](t, s.Get(t, rich.Token, path).Want(t, http.StatusOK))
	require.GreaterOrEqual(t, len(detail.Messages), longTranscript)
	require.True(t, slices.IsSortedFunc(detail.Messages, func(a, b api.Message) int { return strings.Compare(a.ID.String(), b.ID.String()) }))
}

// TestTranscriptThatFailsHalfwayBreaksTheConnection makes the database fail after the
// first messages were sent.
func TestTranscriptThatFailsHalfwayBreaksTheConnection(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"identity", "gzip"} {
		s := apitest.New(t, apitest.Options{})
		rich, _ := s.Demo(t)
		conversation := s.Conversation(t, rich, api.ConversationStatusOPEN)
		lengthen(t, s, rich, conversation.ID, longTranscript)
		body := slowly(t, s, rich.Token, "/conversations/"+conversation.ID.String(), encoding)
		s.Exec(t, "ALTER TABLE messages RENAME TO missing")
		_, err := io.Copy(io.Discard, body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, encoding)
	}
}

func TestTranscriptIsReadInPages(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	conversation := s.Conversation(t, rich, api.ConversationStatusHANDEDOFF)
	lengthen(t, s, rich, conversation.ID, 450) // several batches
	base := "/conversations/" + conversation.ID.String()
	whole := apitest.Decode[api.ConversationDetail](t, s.Get(t, rich.Token, base).Want(t, http.StatusOK)).Messages
	require.Greater(t, len(whole), 450)
	for query, wanted := range map[string][]api.Message{"": whole, "&order=asc": whole, "&order=desc": reversed(whole)} {
		var got []api.Message
		for path := base + "/messages?limit=200" + query; path != ""; {
			response := s.Get(t, rich.Token, path).Want(t, http.StatusOK)
			got = append(got, apitest.Decode[[]api.Message](t, response)...)
			path = ""
			if cursor := response.Header.Get("X-Next-Cursor"); cursor != "" {
				path = base + "/messages?limit=200" + query + "&cursor=" + cursor
				other := map[string]string{"": "desc", "&order=asc": "desc", "&order=desc": "asc"}[query]
				s.Get(t, rich.Token, base+"/messages?order="+other+"&cursor="+cursor).Problem(t, http.StatusBadRequest, api.ErrorCodeInvalidCursor)
			}
		}
		require.Equal(t, wanted, got, query)
	}
	s.Get(t, rich.Token, base+"/messages?order=best").Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	s.Get(t, s.Token(t, rich.ID, api.ScopeConversationsWrite), base+"/messages").Problem(t, http.StatusForbidden, api.ErrorCodeMissingScope)
	s.Get(t, rich.Token, "/conversations/"+uuid.NewString()+"/messages").Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

func TestConversationWithoutMessages(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	conversation := s.Conversation(t, rich, api.ConversationStatusOPEN)
	s.Exec(t, "DELETE FROM messages WHERE conversation_id = $1", conversation.ID)
	path := "/conversations/" + conversation.ID.String()
	var detail struct {
		Messages json.RawMessage `json:"messages"`
	}
	require.NoError(t, json.Unmarshal(s.Get(t, rich.Token, path).Want(t, http.StatusOK).Body, &detail))
	require.JSONEq(t, "[]", string(detail.Messages))
	require.JSONEq(t, "[]", string(s.Get(t, rich.Token, path+"/messages").Want(t, http.StatusOK).Body))
}

func reversed[T any](items []T) []T {
	items = slices.Clone(items)
	slices.Reverse(items)
	return items
}
