// Package modeltest is the server of a model provider, for tests. Its fixtures have the shapes
// that the providers document.
package modeltest

import (
	"embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/domain/agent/model/wire"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
)

//go:embed testdata
var files embed.FS

// Fixture returns a file, such as openai/text.json.
func Fixture(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := files.ReadFile("testdata/" + name)
	require.NoError(tb, err)
	return string(raw)
}

// Received is a request that the server has received.
type Received struct {
	Path   string
	Header http.Header
	Body   string
}

// Server is a provider's server.
type Server struct {
	URL string

	mu       sync.Mutex
	received []Received
}

// New starts a server that responds as respond does, whose n counts requests from 0.
func New(tb testing.TB, respond func(n int, w http.ResponseWriter, r *http.Request)) *Server {
	tb.Helper()
	s := &Server{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client is gone
		}
		s.mu.Lock()
		n := len(s.received)
		s.received = append(s.received, Received{Path: r.URL.Path, Header: r.Header, Body: string(body)})
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		respond(n, w, r)
	}))
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Sends responds with bodies in turn, and then with the last one.
func Sends(bodies ...string) func(n int, w http.ResponseWriter, r *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		body := bodies[min(n, len(bodies)-1)]
		if strings.HasPrefix(body, "data:") || strings.HasPrefix(body, "event:") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = io.WriteString(w, body)
	}
}

// Received returns the requests so far.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.received...)
}

// Settings are the settings of a client of the server.
func (s *Server) Settings(tb testing.TB, key string) wire.Settings {
	tb.Helper()
	client := apiclient.New(egress.NewGuard(egress.Loopback()))
	tb.Cleanup(client.CloseIdle)
	return wire.Settings{Client: client, BaseURL: s.URL, APIKey: key}
}

// Request is a request with everything that agents send.
func Request() model.Request {
	return model.Request{
		Model: "the-model", Temperature: 0.4, MaxTokens: 200,
		Messages: []model.Message{
			{Role: model.System, Content: "You help visitors."},
			{Role: model.User, Content: "May I return shoes?"},
			{Role: model.Assistant, Calls: []model.Call{
				{ID: "search_0", Name: "search_knowledge", Arguments: json.RawMessage(`{"query":"return shoes"}`)},
				{ID: "search_1", Name: "search_knowledge", Arguments: json.RawMessage("not JSON")},
			}},
			{Role: model.Tool, CallID: "search_0", Content: `{"passages":[]}`},
			{Role: model.Tool, CallID: "search_1", Content: `{"error":"the arguments do not match the schema"}`},
		},
		Tools: []model.Definition{{
			Name: "search_knowledge", Description: "Search.",
			Schema: json.RawMessage(`{"type":"object","required":["query"],"additionalProperties":false,"properties":{"query":{"type":"string","maxLength":500}}}`),
		}},
	}
}
