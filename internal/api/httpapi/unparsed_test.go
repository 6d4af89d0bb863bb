package httpapi_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestUnparsableRequestsGetProblemDocuments sends requests that net/http responds to itself, in
// plain text, or accepts although it is not clear where they end.
func TestUnparsableRequestsGetProblemDocuments(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for sent, want := range map[string]struct {
		code   api.ErrorCode
		detail string
	}{
		"GET /api/v1/leads/%zz HTTP/1.1\r\nHost: x\r\n\r\n": {api.ErrorCodeMalformedRequest, "not valid HTTP/1.1"},
		"GET /api/v1/leads HTTP/1.1\r\n\r\n":                {api.ErrorCodeMalformedRequest, "missing required Host header"},
		"POST /api/v1/leads HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled": {
			api.ErrorCodeMalformedRequest, "both Content-Length and Transfer-Encoding are set",
		},
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n": {api.ErrorCodeHeadersTooLarge, "too large"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.Origin, "http://"))
		require.NoError(t, err)
		_, err = conn.Write([]byte(sent))
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		var problem api.Problem
		require.NoError(t, json.NewDecoder(response.Body).Decode(&problem))
		require.NoError(t, response.Body.Close())
		require.NoError(t, conn.Close())
		require.Equal(t, want.code, problem.Code)
		require.Contains(t, problem.Detail, want.detail)
		require.EqualValues(t, response.StatusCode, problem.Status)
		require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		require.NotEmpty(t, problem.RequestID)
		require.Equal(t, problem.RequestID, response.Header.Get("X-Request-Id"))
		require.True(t, response.Close)
		require.Contains(t, s.LogText(), problem.RequestID, "support finds it by its ID")
	}
}
