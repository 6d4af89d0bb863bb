package httpapi_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/openapi"
)

func TestOpenAPIDocumentAndPostmanCollectionAreServed(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	for path, content := range map[string][]byte{"/openapi.json": withServer(openapi.JSON, s.URL), "/postman.json": withServer(openapi.Postman, s.URL)} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			servesByETag(t, s, path, content)
		})
	}
}

// hostedServers are the servers in the published document.
var hostedServers = regexp.MustCompile(`(?s)"servers": \[.*?\n  \]`)

// withServer returns what a server with a base URL serves instead of a published document.
func withServer(document []byte, base string) []byte {
	document = hostedServers.ReplaceAll(document, []byte(`"servers": [{"url":"`+base+`","description":"This server"}]`))
	return bytes.ReplaceAll(document, []byte(`"https://api.avelto.pl/api/v1"`), []byte(`"`+base+`"`))
}

// TestDocumentsNameThisServer: clients made from the documents send their tokens to the
// server that they came from.
func TestDocumentsNameThisServer(t *testing.T) {
	t.Parallel()
	hosted := apitest.New(t, apitest.Options{Config: apitest.Config{PublicURL: "https://api.avelto.pl"}})
	require.Equal(t, openapi.JSON, hosted.Get(t, "", "/openapi.json").Want(t, http.StatusOK).Body, "the hosted service publishes the document as it is")
	require.Equal(t, openapi.Postman, hosted.Get(t, "", "/postman.json").Want(t, http.StatusOK).Body)
	own := apitest.New(t, apitest.Options{Config: apitest.Config{PublicURL: "https://convo.example"}})
	for _, path := range []string{"/openapi.json", "/postman.json"} {
		body := string(own.Get(t, "", path).Want(t, http.StatusOK).Body)
		require.Equal(t, 1, strings.Count(body, `"https://convo.example/api/v1"`))
		require.Zero(t, strings.Count(body, `"https://api.avelto.pl/api/v1"`))
	}
}

func servesByETag(t *testing.T, s *apitest.Server, path string, content []byte) {
	t.Helper()
	response := s.Get(t, "", path).Want(t, http.StatusOK)
	require.Equal(t, content, response.Body)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	etag := response.Header.Get("ETag")
	for _, header := range []string{etag, "*", `"other", ` + etag, strings.TrimPrefix(etag, "W/")} {
		r := apitest.Request{Method: http.MethodGet, Path: path, Header: map[string]string{"If-None-Match": header}}
		current := s.Do(t, r).Want(t, http.StatusNotModified)
		require.Empty(t, current.Body)
		require.Equal(t, etag, current.Header.Get("ETag"))
	}
	r := apitest.Request{Method: http.MethodGet, Path: path, Header: map[string]string{"If-None-Match": `"other"`}}
	s.Do(t, r).Want(t, http.StatusOK)
}

func TestTokensExpireAndAreRevoked(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	space := s.Workspace(t, "acme")
	hour := time.Hour
	short := s.TokenWith(t, token.NewToken{WorkspaceID: space, Name: "short", Scopes: []api.Scope{api.ScopeLeadsRead}, ExpiresIn: &hour})
	s.Get(t, short, "/leads").Want(t, http.StatusOK)
	s.Clock.Advance(hour - time.Millisecond)
	s.Get(t, short, "/leads").Want(t, http.StatusOK)
	s.Clock.Advance(time.Millisecond)
	s.Get(t, short, "/leads").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)

	long := s.Token(t, space)
	s.Get(t, long, "/leads").Want(t, http.StatusOK)
	s.Exec(t, "UPDATE api_tokens SET revoked_at = now() WHERE last_four = $1", long[len(long)-4:])
	require.Eventually(t, func() bool { return s.Get(t, long, "/leads").Status == http.StatusUnauthorized },
		time.Second, 5*time.Millisecond, "a revocation holds within a second, though the clock of the cache stands still")
	var stored int
	require.NoError(t, s.DB.QueryRow(t.Context(), "SELECT count(*) FROM api_tokens AS r WHERE to_jsonb(r)::text LIKE '%' || $1 || '%'", long[6:]).Scan(&stored))
	require.Zero(t, stored, "the plaintext is stored nowhere")
}

func TestClientRequestIDIsKeptIfSafe(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	for given, taken := range map[string]bool{
		"my-request_1.2": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, "a b": false, "ä": false, `a"b`: false, "": false,
	} {
		r := apitest.Request{Method: http.MethodGet, Path: "/leads", Token: token, Header: map[string]string{"X-Request-Id": given}}
		got := s.Do(t, r).Want(t, http.StatusOK).Header.Get("X-Request-Id")
		require.Equal(t, taken, got == given, "%q became %q", given, got)
		require.NotEmpty(t, got)
	}
}

func TestUnknownPathsAndMethodsReturnProblems(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	for _, path := range []string{"/nope", "/leads/", "/", "", "/leads/a/b/c", "//leads", "/Leads"} {
		s.Get(t, token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
		s.Get(t, "", path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	}
	response := s.Do(t, apitest.Request{Method: http.MethodPut, Path: "/leads", Token: token})
	response.Problem(t, http.StatusMethodNotAllowed, api.ErrorCodeMethodNotAllowed)
	require.Contains(t, response.Header.Get("Allow"), "POST")
	s.Get(t, token, "/leads?limit="+strings.Repeat("1", 9000)).Problem(t, http.StatusRequestURITooLong, api.ErrorCodeURITooLong)
	bomb := apitest.Request{Method: http.MethodGet, Path: "/leads", Token: token, Header: map[string]string{}}
	for i := range 40 {
		bomb.Header[fmt.Sprint("X-Bomb-", i)] = strings.Repeat("x", 1000)
	}
	s.Do(t, bomb).Problem(t, http.StatusRequestHeaderFieldsTooLarge, api.ErrorCodeHeadersTooLarge)
}

func TestHeadReturnsHeadersOfGet(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	response := s.Do(t, apitest.Request{Method: http.MethodHead, Path: "/leads", Token: token}).Want(t, http.StatusOK)
	require.Empty(t, response.Body)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.Empty(t, s.Do(t, apitest.Request{Method: http.MethodHead, Path: "/leads"}).Want(t, http.StatusUnauthorized).Body)
}

func TestOptionsListsMethods(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	response := s.Do(t, apitest.Request{Method: http.MethodOptions, Path: "/leads"}).Want(t, http.StatusNoContent)
	require.Contains(t, response.Header.Get("Allow"), "GET")
	require.Contains(t, response.Header.Get("Allow"), "POST")
}

func TestCORSAllowsAllOrigins(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	preflight := s.Do(t, apitest.Request{Method: http.MethodOptions, Path: "/leads", Header: map[string]string{
		"Origin": "https://shop.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key",
	}}).Want(t, http.StatusNoContent)
	require.Equal(t, "*", preflight.Header.Get("Access-Control-Allow-Origin"))
	for _, header := range []string{"Authorization", "Idempotency-Key", "Content-Type", "X-Request-Id"} {
		require.Contains(t, preflight.Header.Get("Access-Control-Allow-Headers"), header)
	}
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		require.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), method)
	}
	for _, path := range []string{"/leads", "/leads?nope=1"} {
		r := apitest.Request{Method: http.MethodGet, Path: path, Token: token, Header: map[string]string{"Origin": "https://shop.example"}}
		exposed := s.Do(t, r).Header.Get("Access-Control-Expose-Headers")
		for _, header := range []string{"X-Request-Id", "X-Next-Cursor", "Link", "Location", "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "Idempotent-Replayed", "ETag", "WWW-Authenticate"} {
			require.Contains(t, exposed, header)
		}
	}
}

func TestLargeResponsesAreCompressed(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/openapi.json", nil)
	require.NoError(t, err)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	unpacked, err := gzip.NewReader(response.Body)
	require.NoError(t, err)
	raw, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	require.Equal(t, withServer(openapi.JSON, s.URL), raw)
}

func TestRateLimitCountsDown(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{RateLimits: true})
	token := s.Token(t, s.Workspace(t, "acme"))
	for left := 599; left >= 0; left-- {
		response := s.Get(t, token, "/leads?limit=1").Want(t, http.StatusOK)
		require.Equal(t, fmt.Sprintf(`"default";r=%d;t=60`, left), response.Header.Get("RateLimit"))
		require.Equal(t, `"default";q=600;w=60`, response.Header.Get("RateLimit-Policy"))
		require.Equal(t, strconv.Itoa(left), response.Header.Get("X-RateLimit-Remaining"))
		require.Equal(t, strconv.FormatInt(s.Clock.Now().Add(time.Minute).Unix(), 10), response.Header.Get("X-RateLimit-Reset"))
	}
	refused := s.Get(t, token, "/leads?limit=1")
	refused.Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	s.Get(t, token, "/agents").Want(t, http.StatusOK)
	elsewhere := s.Token(t, s.Workspace(t, "elsewhere"))
	s.Get(t, elsewhere, "/leads").Want(t, http.StatusOK)
	wait, err := time.ParseDuration(refused.Header.Get("Retry-After") + "s")
	require.NoError(t, err)
	s.Clock.Advance(wait)
	s.Get(t, token, "/leads?limit=1").Want(t, http.StatusOK)
}

func TestUnauthenticatedRequestsAreLimitedByIP(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{RateLimits: true, Config: apitest.Config{TrustedProxies: []string{"127.0.0.0/8"}}})
	ask := func(address, path, token string) apitest.Response {
		return s.Do(t, apitest.Request{Method: http.MethodGet, Path: path, Token: token, Header: map[string]string{"X-Forwarded-For": address}})
	}
	for i := range 60 {
		path := []string{"/leads", "/agents", "/nope"}[i%3]
		response := ask("203.0.113.7", path, []string{"", "convo_bad"}[i%2])
		require.NotEqual(t, http.StatusTooManyRequests, response.Status)
		require.Equal(t, strconv.Itoa(59-i), response.Header.Get("X-RateLimit-Remaining"))
	}
	ask("203.0.113.7", "/leads", "").Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	ask("203.0.113.8", "/leads", "").Problem(t, http.StatusUnauthorized, api.ErrorCodeUnauthenticated)
	require.Equal(t, "59", ask("2001:db8::1", "/leads", "").Header.Get("X-RateLimit-Remaining"))
	require.Equal(t, "58", ask("2001:db8::2", "/leads", "").Header.Get("X-RateLimit-Remaining"), "one /64 is one caller")
	live := s.Token(t, s.Workspace(t, "acme"))
	ask("203.0.113.7", "/leads", live).Want(t, http.StatusOK)
}

func TestSlowRequestTimesOut(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Config: apitest.Config{RequestTimeout: 300 * time.Millisecond}})
	token := s.Token(t, s.Workspace(t, "acme"))
	s.Get(t, token, "/leads").Want(t, http.StatusOK)
	tx, err := s.DB.Pool().Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), "LOCK TABLE leads")
	require.NoError(t, err)
	response := s.Get(t, token, "/leads")
	response.Problem(t, http.StatusServiceUnavailable, api.ErrorCodeTimeout)
	require.Equal(t, "1", response.Header.Get("Retry-After"))
}

func TestTruncatedBodyReturns400(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Origin, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /api/v1/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"fields\":", token)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	s.Get(t, token, "/leads").Want(t, http.StatusOK)
	s.Get(t, token, "/leads?limit=0").Want(t, http.StatusBadRequest)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Origin+path, nil)
		require.NoError(t, err)
		require.Contains(t, string(s.Send(t, request).Want(t, http.StatusOK).Body), want)
	}
	metrics := httptest.NewRecorder()
	s.Ops.ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Contains(t, metrics.Body.String(), `convo_http_requests_total{operation="listLeads",status="200"} 1`)
}

func TestEachRequestIsLoggedOnce(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	r := apitest.Request{Method: http.MethodGet, Path: "/leads?limit=1", Token: token, Header: map[string]string{"X-Request-Id": "find-me"}}
	s.Do(t, r).Want(t, http.StatusOK)
	for line := range strings.Lines(s.WaitForLog(t, "find-me")) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry["requestId"] == "find-me" {
			require.Equal(t, "listLeads", entry["operationId"])
			require.InDelta(t, 200, entry["status"], 0)
			require.NotEmpty(t, entry["workspaceId"])
		}
		require.NotContains(t, line, token[6:], "no token in the log")
	}
}
