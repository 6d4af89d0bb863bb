package rawhttp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/rawhttp"
)

// serve starts a server that responds with the method, path and body of each request. Its
// responses to requests that cannot be parsed say why.
func serve(t testing.TB, wrap func(net.Listener) net.Listener) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		fmt.Fprintf(w, "%s %s %q", r.Method, r.URL, body)
	}))
	server.Listener = wrap(server.Listener)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func wrapped(on net.Listener) net.Listener {
	return rawhttp.Listen(on, func(_ net.Addr, status, reason string, cause error) []byte {
		body := fmt.Sprint(status, "|", reason, "|", cause)
		return fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
}

// exchange sends bytes and returns the bodies of the responses.
func exchange(t *testing.T, address string, sent io.Reader) (bodies []string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.Copy(conn, sent)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	received := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(received, nil)
		if err != nil {
			return bodies
		}
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		bodies = append(bodies, string(body))
	}
}

const (
	both    = "400||both Content-Length and Transfer-Encoding are set"
	length  = "400||the length of the body is not valid"
	plain   = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
	chunks  = "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
	smuggle = "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)

var cases = map[string]struct {
	sent string
	want []string
}{
	"one request":           {plain, []string{`POST /a "abc"`}},
	"chunked":               {chunks, []string{`POST /b "abc0123456789"`}},
	"on one connection":     {plain + "GET /x HTTP/1.1\r\nHost: x\r\n\r\n" + chunks + plain, []string{`POST /a "abc"`, `GET /x ""`, `POST /b "abc0123456789"`, `POST /a "abc"`}},
	"empty lines":           {plain + "\r\n" + plain, []string{`POST /a "abc"`, `POST /a "abc"`}},
	"a body like a header":  {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 51\r\n\r\n\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + plain, []string{`POST /a "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"`, `POST /a "abc"`}},
	"a chunk like a header": {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n\r\nContent-Length: 4\r\r\n0\r\n\r\n", []string{`POST /a "\r\nContent-Length: 4\r"`}},
	"two lengths":           {smuggle, []string{both}},
	"the other order":       {"POST /c HTTP/1.1\r\nHost: x\r\ntransfer-ENCODING:chunked\r\ncontent-length:4\r\n\r\n0\r\n\r\n", []string{both}},
	"bare line feeds":       {"POST /c HTTP/1.1\nHost: x\nContent-Length: 4\nTransfer-Encoding: chunked\n\n0\n\n", []string{both}},
	"HTTP/1.0":              {"POST /c HTTP/1.0\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{both}},
	"after others":          {plain + chunks + smuggle + plain, []string{`POST /a "abc"`, `POST /b "abc0123456789"`, both}},
	"a padded length":       {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: " + strings.Repeat("0", 40) + "5\r\n\r\nabcde", []string{length}},
	"a folded length":       {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 5\r\n\r\nabcde", []string{length}},
	"a signed length":       {"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde", []string{length}},
	"no host":               {"GET / HTTP/1.1\r\n\r\n", []string{"400|missing required Host header|<nil>"}},
	"a bad escape":          {"GET /leads/%zz HTTP/1.1\r\nHost: x\r\n\r\n", []string{"400||<nil>"}},
	"a bad header":          {"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n", []string{"400|invalid header name|<nil>"}},
	"another version":       {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", []string{"505|unsupported protocol version|<nil>"}},
	"an unknown encoding":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", []string{"501||<nil>"}},
	"huge headers":          {"GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", []string{"431||<nil>"}},
	"not HTTP":              {"hello\r\n\r\n", []string{"400||<nil>"}},
}

func TestRequestsAreCheckedBeforeTheyAreParsed(t *testing.T) {
	t.Parallel()
	address := serve(t, wrapped)
	for name, one := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, one.want, exchange(t, address, strings.NewReader(one.sent)), "in one piece")
			if len(one.sent) < 4096 {
				require.Equal(t, one.want, exchange(t, address, iotest.OneByteReader(strings.NewReader(one.sent))), "byte by byte")
			}
		})
	}
}

// TestARefusedRequestIsTheLast: what follows it on the connection is not read.
func TestARefusedRequestIsTheLast(t *testing.T) {
	t.Parallel()
	address := serve(t, wrapped)
	require.Len(t, exchange(t, address, strings.NewReader(smuggle+plain)), 1)
}

// FuzzFraming compares the server with one that has no check: the check refuses requests,
// and changes nothing about others.
func FuzzFraming(f *testing.F) {
	for _, one := range cases {
		if len(one.sent) < 4096 {
			f.Add([]byte(one.sent))
		}
	}
	with, without := serve(f, wrapped), serve(f, func(on net.Listener) net.Listener { return on })
	f.Fuzz(func(t *testing.T, sent []byte) {
		got, want := exchange(t, with, bytes.NewReader(sent)), exchange(t, without, bytes.NewReader(sent))
		require.LessOrEqual(t, len(got), len(want)+1)
		for i := range got {
			if i == len(want) || got[i] != want[i] {
				require.Equal(t, len(got)-1, i, "only the last response may differ:\n%q\n%q", got, want)
				require.True(t, strings.HasPrefix(got[i], "4") || strings.HasPrefix(got[i], "5") || got[i] == "", "%q", got)
			}
		}
	})
}

// head is what a browser sends.
var head = []byte("GET /api/v1/leads?limit=50 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: application/json\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAuthorization: Bearer convo_0123456789abcdef0123456789abcdef\r\n" +
	"Connection: keep-alive\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0\r\n\r\n")

// replay is a connection that sends one head again and again.
type replay struct{ net.Conn }

// Read implements net.Conn.
func (replay) Read(p []byte) (int, error) { return copy(p, head), nil }

type one struct{ net.Listener }

// Accept implements net.Listener.
func (one) Accept() (net.Conn, error) { return replay{}, nil }

// BenchmarkRead measures what the check adds to each request.
func BenchmarkRead(b *testing.B) {
	conn, err := rawhttp.Listen(one{}, nil).Accept()
	require.NoError(b, err)
	buffer := make([]byte, 4096)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Read(buffer); err != nil {
			b.Fatal(err)
		}
	}
}
