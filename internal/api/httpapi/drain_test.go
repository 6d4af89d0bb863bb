package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestClientThatReadsAfterSendingGetsTheError sends 12 MB and only then reads the
// response, as http.client of Python and PHP do.
func TestClientThatReadsAfterSendingGetsTheError(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	const size = 12_000_000
	for _, tt := range []struct {
		path, contentType, token string
		chunked                  bool
		status                   int
		code                     api.ErrorCode
	}{
		{"/leads", "application/json", token, false, 413, api.ErrorCodePayloadTooLarge},
		{"/leads", "application/json", token, true, 413, api.ErrorCodePayloadTooLarge},
		{"/knowledge/upload", "text/plain", token, false, 413, api.ErrorCodePayloadTooLarge},
		{"/knowledge/upload", "text/plain", token, true, 413, api.ErrorCodePayloadTooLarge},
		{"/knowledge/upload", "image/png", token, true, 415, api.ErrorCodeUnsupportedMediaType},
		{"/knowledge/upload", "text/plain", "convo_00000000000000000000000000000000", true, 401, api.ErrorCodeUnauthenticated},
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.Origin, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		length := fmt.Sprintf("Content-Length: %d", size)
		if tt.chunked {
			length = "Transfer-Encoding: chunked"
		}
		out := bufio.NewWriter(connection)
		_, _ = fmt.Fprintf(out, "POST /api/v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\n%s\r\n\r\n", tt.path, tt.token, tt.contentType, length)
		if tt.chunked {
			_, _ = fmt.Fprintf(out, "%x\r\n", size)
		}
		_, err = io.WriteString(out, strings.Repeat(" ", size))
		require.NoError(t, err, "%+v", tt)
		if tt.chunked {
			_, _ = io.WriteString(out, "\r\n0\r\n\r\n")
		}
		require.NoError(t, out.Flush(), "%+v", tt)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err, "%+v", tt)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		got := apitest.Response{Status: response.StatusCode, Header: response.Header, Body: body}
		got.Problem(t, tt.status, tt.code)
		s.Check(t, http.MethodPost, s.URL+tt.path, got)
	}
}
