package httpapi_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// BenchmarkOpenStreams reports the memory that an idle stream needs in this process, with
// the client's side of its connection.
func BenchmarkOpenStreams(b *testing.B) {
	const count = 900 // of one address
	s := apitest.New(b, apitest.Options{})
	space := s.Workspace(b, "acme")
	token := s.Token(b, space)
	agent := apitest.Decode[api.AgentDetail](b, s.Post(b, token, "/agents", `{"name":"Ada","modelProvider":"openai","modelName":"m"}`).Want(b, http.StatusCreated)).ID
	channel := apitest.Decode[struct{ ID uuid.UUID }](b, s.Post(b, token, "/channels", map[string]any{"type": "WEBSITE", "name": "Shop", "agentId": agent}).Want(b, http.StatusCreated)).ID
	server, err := url.Parse(s.URL)
	require.NoError(b, err)
	for b.Loop() {
		sessions := make([]string, count)
		for i := range sessions {
			session := apitest.Decode[api.WidgetSession](b, s.Post(b, "", "/widget/sessions", map[string]any{"channelId": channel}))
			sessions[i] = session.Token
			s.Post(b, session.Token, "/widget/messages", map[string]any{"clientMessageId": uuid.NewString(), "content": "Hi"}).Want(b, http.StatusCreated)
		}
		before := memory()
		streams := make([]net.Conn, count)
		for i, session := range sessions {
			streams[i] = openStream(b, server.Host, session)
		}
		b.ReportMetric(float64(memory()-before)/count, "B/stream")
		for _, stream := range streams {
			require.NoError(b, stream.Close())
		}
	}
}

// openStream returns a connection on which the first message has arrived.
func openStream(b *testing.B, host, session string) net.Conn {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", host)
	require.NoError(b, err)
	_, err = fmt.Fprintf(conn, "GET /api/v1/widget/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", host, session)
	require.NoError(b, err)
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() == "event: message" {
			return conn
		}
	}
	require.Fail(b, "no message")
	return nil
}

// memory returns how many bytes the heap and the stacks use.
func memory() int64 {
	var m runtime.MemStats
	for range 4 { // each collection halves stacks that have grown
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
