package httpapi_test

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/channeltest"
)

const (
	keyedCalls = 32
	poolSize   = 2
	// receiverTime is how long the slowest operation waits for another server. Requests that
	// held a connection meanwhile would take keyedCalls / poolSize times as long.
	receiverTime = time.Second
	// callsLimit is below those 16 s, and generous for a busy machine.
	callsLimit = keyedCalls / poolSize * receiverTime * 3 / 4
	// maxTests is how many test events of a workspace the server sends concurrently.
	maxTests = 5
)

// keyedPost says how an operation is called many times with a key.
type keyedPost struct {
	// request is the nth call. The path is below the base path.
	request func(n int) apitest.Request
	// effects counts what the calls have changed, one for each key; empty if the operation
	// changes nothing that can be counted.
	effects string
	// concurrent is how many of the calls the server accepts concurrently; 0 for all.
	concurrent int
}

// keyedPosts are the calls of every POST operation. They are prepared in a workspace
// with the demo data.
func keyedPosts(t *testing.T, s *apitest.Server, in apitest.Space, webhookURL string) map[string]keyedPost {
	t.Helper()
	handedOff := s.Conversation(t, in, api.ConversationStatusHANDEDOFF)
	webhook := apitest.Decode[api.WebhookCreated](t, s.Post(t, in.Token, "/integrations/webhook",
		map[string]any{"type": "WEBHOOK", "url": webhookURL, "events": []string{"lead.created"}}).Want(t, http.StatusCreated))
	s.Post(t, in.Token, "/leads", `{"fields":{"name":"Delivered"}}`).Want(t, http.StatusCreated)
	integration := "/integrations/" + webhook.ID.String()
	s.Sequence(t)
	delivery := apitest.First[api.WebhookDelivery](t, s, in, integration+"/deliveries")
	tags, jobs := make([]uuid.UUID, keyedCalls), make([]uuid.UUID, keyedCalls)
	for n := range keyedCalls {
		tags[n] = apitest.Decode[api.Tag](t, s.Post(t, in.Token, "/tags", fmt.Sprintf(`{"name":"bulk %d"}`, n)).Want(t, http.StatusCreated)).ID
		jobs[n] = apitest.Decode[api.KnowledgeJob](t, s.Post(t, in.Token, "/knowledge/crawl",
			fmt.Sprintf(`{"url":"https://docs.example.com/cancelled/%d"}`, n)).Want(t, http.StatusAccepted)).ID
	}
	s.Post(t, in.Token, "/knowledge/crawl", `{"url":"https://docs.example.com/refreshed"}`).Want(t, http.StatusAccepted)
	source := apitest.First[api.KnowledgeSource](t, s, in, "/knowledge/sources")
	agent := apitest.First[api.Agent](t, s, in, "/agents").ID.String()
	open := apitest.Decode[[]api.Conversation](t, s.Get(t, in.Token, "/conversations?status=OPEN").Want(t, http.StatusOK))
	require.GreaterOrEqual(t, len(open), 4)
	phone := newPhone(t, s, in.Token).ID.String()
	call := func(path, body string) func(int) apitest.Request {
		return func(n int) apitest.Request {
			return apitest.Request{Path: path, Body: strings.ReplaceAll(body, "#", strconv.Itoa(n))}
		}
	}
	return map[string]keyedPost{
		"createChannel":        {request: call("/channels", `{"type":"WEBSITE","name":"keyed #","agentId":"`+agent+`"}`), effects: "SELECT count(*) FROM channels WHERE name LIKE 'keyed %'"},
		"checkChannel":         {request: call("/channels/"+phone+"/check", "")},
		"authorizeChannel":     {request: call("/channels/"+phone+"/authorization", "")},
		"createConversation":   {request: call("/conversations", `{"channelId":"`+phone+`","to":"+4860000#","content":"started #"}`), effects: "SELECT count(*) FROM messages WHERE content LIKE 'started %'"},
		"handOffConversation":  {request: call("/conversations/"+open[0].ID.String()+"/hand-off", `{"reason":"keyed #"}`)},
		"releaseConversation":  {request: call("/conversations/"+open[1].ID.String()+"/release", "")},
		"closeConversation":    {request: call("/conversations/"+open[2].ID.String()+"/close", "")},
		"reopenConversation":   {request: call("/conversations/"+open[3].ID.String()+"/reopen", "")},
		"createOperator":       {request: call("/operators", `{"name":"keyed #"}`), effects: "SELECT count(*) FROM operators WHERE name LIKE 'keyed %'"},
		"createLead":           {request: call("/leads", `{"fields":{"name":"keyed #"}}`), effects: "SELECT count(*) FROM leads WHERE fields ->> 'name' LIKE 'keyed %'"},
		"createAgent":          {request: call("/agents", `{"name":"keyed #","modelProvider":"openai","modelName":"gpt-4o-mini"}`), effects: "SELECT count(*) FROM agents WHERE name LIKE 'keyed %'"},
		"createTag":            {request: call("/tags", `{"name":"keyed #"}`), effects: "SELECT count(*) FROM tags WHERE name LIKE 'keyed %'"},
		"sendOperatorMessage":  {request: call("/conversations/"+handedOff.ID.String()+"/operator-message", `{"content":"keyed #"}`), effects: "SELECT count(*) FROM messages WHERE content LIKE 'keyed %'"},
		"sendTemplateMessage":  {request: call("/conversations/"+handedOff.ID.String()+"/template-message", `{"name":"order_update","language":"en","parameters":["keyed","#"]}`), effects: "SELECT count(*) FROM messages WHERE content LIKE 'Hello keyed,%'"},
		"reportOperatorTyping": {request: call("/conversations/"+handedOff.ID.String()+"/typing", `{"on":true}`)},
		"bulkUpdateConversations": {request: func(n int) apitest.Request {
			return apitest.Request{Path: "/conversations/bulk", Body: fmt.Sprintf(`{"ids":[%q],"action":"tag","tagIds":[%q]}`, handedOff.ID, tags[n])}
		}, effects: "SELECT count(*) FROM event_outbox WHERE type = 'conversation.tags_changed'"},
		"createWebhook":                {request: call("/integrations/webhook", `{"type":"WEBHOOK","url":"https://hooks.example.com/keyed/#","events":["conversation.closed"]}`), effects: "SELECT count(*) FROM integrations WHERE url LIKE '%/keyed/%'"},
		"rotateIntegrationSecret":      {request: call(integration+"/rotate-secret", `{"overlapHours":1}`)},
		"testIntegration":              {request: call(integration+"/test", ""), concurrent: maxTests, effects: "SELECT count(*) FROM events WHERE type = 'webhook.ping'"},
		"redeliverIntegrationDelivery": {request: call(integration+"/deliveries/"+delivery.ID.String()+"/redeliver", "")},
		"uploadKnowledge": {request: func(n int) apitest.Request {
			return apitest.Request{Path: "/knowledge/upload", Body: fmt.Sprintf("keyed %d", n), Header: map[string]string{"Content-Type": "text/plain"}}
		}, effects: "SELECT count(*) FROM knowledge_jobs WHERE type = 'UPLOAD'"},
		"crawlKnowledge": {request: call("/knowledge/crawl", `{"url":"https://docs.example.com/keyed/#"}`), effects: "SELECT count(*) FROM knowledge_jobs WHERE url LIKE '%/keyed/%'"},
		"cancelKnowledgeJob": {request: func(n int) apitest.Request {
			return apitest.Request{Path: "/knowledge/jobs/" + jobs[n].String() + "/cancel"}
		}, effects: "SELECT count(*) FROM knowledge_jobs WHERE status = 'CANCELLED'"},
		"refreshKnowledgeSource": {request: call("/knowledge/sources/"+source.ID.String()+"/refresh", "")},
		"searchKnowledge":        {request: call("/knowledge/search", `{"query":"return policy"}`)},
		"publishAgent":           {request: call("/agents/"+agent+"/publish", "")},
		"rollBackAgent":          {request: call("/agents/"+agent+"/rollback", `{"version":1}`)},
		"createAgentEvaluation":  {request: call("/agents/"+agent+"/evaluations", strings.Replace(oneCase, "{", `{"name":"keyed #",`, 1)), effects: "SELECT count(*) FROM agent_evaluations WHERE name LIKE 'keyed %'"},
		"previewAgent":           {request: call("/agents/"+agent+"/preview", `{"messages":[{"role":"USER","content":"What is your return policy?"}]}`)},
		"checkAgent":             {request: call("/agents/"+agent+"/check", "")},
	}
}

// TestManyKeyedCallsFinishOnATinyPool sends concurrent requests with keys to each POST
// operation of a server with two database connections. A request that held one while it
// waited for anything else would stop them all.
func TestManyKeyedCallsFinishOnATinyPool(t *testing.T) {
	t.Parallel()
	receiver := apitest.NewReceiver(t, func(int, http.ResponseWriter, *http.Request) { <-time.After(receiverTime) })
	s := apitest.New(t, apitest.Options{MaxConns: poolSize, Providers: channeltest.Registry(), Config: apitest.Config{AllowedTargets: []string{"127.0.0.0/8", "::1/128"}}})
	rich, _ := s.Demo(t)
	s.Exec(t, "DELETE FROM knowledge_jobs")
	posts := keyedPosts(t, s, rich, receiver.URL)
	var longest time.Duration
	for _, o := range s.Document.Operations {
		if o.Method != http.MethodPost {
			continue
		}
		post, ok := posts[o.ID]
		require.True(t, ok, "no request for %s", o.ID)
		delete(posts, o.ID)
		var before int
		if post.effects != "" {
			require.NoError(t, s.DB.QueryRow(t.Context(), post.effects).Scan(&before))
		}
		first, took := callAll(t, s, rich.Token, o.ID, post)
		require.Less(t, took, callsLimit, "%s: the requests waited for each other", o.ID)
		longest = max(longest, took)
		second, _ := callAll(t, s, rich.Token, o.ID, post)
		for n := range keyedCalls {
			require.Less(t, first[n].Status, http.StatusMultipleChoices, "%s: %s", o.ID, first[n].Body)
			require.Equal(t, first[n].Status, second[n].Status, "%s: %s", o.ID, second[n].Body)
			if !o.ReadOnly {
				require.Equal(t, "true", second[n].Header.Get("Idempotent-Replayed"), o.ID)
				requireReplayed(t, o, first[n], second[n])
			}
		}
		if post.effects != "" {
			var after int
			require.NoError(t, s.DB.QueryRow(t.Context(), post.effects).Scan(&after))
			require.Equal(t, keyedCalls, after-before, "%s: one effect for each key", o.ID)
		}
	}
	require.Empty(t, slices.Collect(maps.Keys(posts)), "requests for operations that do not exist")
	apitest.Tallyf(t, "pool of %d: %d concurrent keyed calls of each POST take %s at most", poolSize, keyedCalls, longest.Round(time.Millisecond))
}

// callAll sends all calls of an operation at the same time, each with its key, and
// returns how long it took until the last response.
func callAll(t *testing.T, s *apitest.Server, token, operation string, post keyedPost) ([]apitest.Response, time.Duration) {
	t.Helper()
	responses, started := make([]apitest.Response, keyedCalls), time.Now()
	accepted := make(chan struct{}, cmp.Or(post.concurrent, keyedCalls))
	var calls sync.WaitGroup
	for n := range keyedCalls {
		r := post.request(n)
		r.Method, r.Token = http.MethodPost, token
		header := map[string]string{"Idempotency-Key": fmt.Sprintf("%s-%d", operation, n)}
		maps.Copy(header, r.Header)
		if r.Header = header; r.Body == "" {
			r.Body = nil
		}
		calls.Go(func() {
			accepted <- struct{}{}
			defer func() { <-accepted }()
			responses[n] = s.Do(t, r)
		})
	}
	calls.Wait()
	return responses, time.Since(started)
}

const (
	stalledUploads = 50
	latencyRuns    = 7 // of which the median counts
	latencySamples = 100
)

// TestStalledUploadsDoNotSlowOthers leaves keyed uploads unfinished and measures what
// another workspace waits for its requests meanwhile. The idle value is that of a server
// without uploads. Both are measured in turns, so that other programs on the machine slow
// both down.
func TestStalledUploadsDoNotSlowOthers(t *testing.T) {
	t.Parallel()
	calm, s := apitest.New(t, apitest.Options{MaxConns: 4}), apitest.New(t, apitest.Options{MaxConns: 4})
	calmToken := calm.Token(t, calm.Workspace(t, "neighbour"))
	hostile, neighbour := s.Token(t, s.Workspace(t, "hostile")), s.Token(t, s.Workspace(t, "neighbour"))
	for n := range stalledUploads {
		stallUpload(t, s, hostile, n)
	}
	var idle, stalled []time.Duration
	for range latencyRuns {
		idle = append(idle, p99(t, calm, calmToken))
		stalled = append(stalled, p99(t, s, neighbour))
	}
	apitest.Tallyf(t, "%d stalled uploads: a neighbour's p99 is %s, idle %s", stalledUploads, median(stalled), median(idle))
	require.Less(t, median(stalled), 10*median(idle))
}

// p99 measures GET /leads.
func p99(t *testing.T, s *apitest.Server, token string) time.Duration {
	t.Helper()
	took := make([]time.Duration, latencySamples)
	for i := range took {
		started := time.Now()
		s.Get(t, token, "/leads").Want(t, http.StatusOK)
		took[i] = time.Since(started)
	}
	slices.Sort(took)
	return took[latencySamples*99/100-1]
}

func median(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }

// stallUpload sends the beginning of a file and keeps its connection open. The server
// asks for the body, by 100 Continue, when its handler reads it.
func stallUpload(t *testing.T, s *apitest.Server, token string, n int) {
	t.Helper()
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", address.Host)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = fmt.Fprintf(conn, "POST %s/knowledge/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nIdempotency-Key: stalled-%d\r\n"+
		"Content-Type: text/plain\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", address.Path, token, n)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = conn.Write([]byte("abc"))
	require.NoError(t, err)
}
