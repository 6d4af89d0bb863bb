package sender_test

import (
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/webhook/sender"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
)

const secret = "wh_0123456789abcdef0123456789abcdef0123456789abcdef"

var now = time.Date(2026, 4, 30, 12, 0, 0, 0, time.UTC)

// newSender returns a sender that may connect to the networks; loopback for "127.0.0.0/8".
func newSender(t *testing.T, timeout time.Duration, networks ...string) *sender.Sender {
	t.Helper()
	allowed, err := egress.ParsePrefixes(networks)
	require.NoError(t, err)
	return logging(t, slog.New(slog.DiscardHandler), timeout, allowed)
}

func logging(t *testing.T, log *slog.Logger, timeout time.Duration, allowed []netip.Prefix) *sender.Sender {
	t.Helper()
	s := sender.New(egress.NewGuard(allowed), clock.NewFake(now), log, timeout, 4)
	t.Cleanup(s.Close)
	return s
}

func endpoint(t *testing.T, handler http.HandlerFunc) sender.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return target(t, server.URL)
}

func target(t *testing.T, address string) sender.Target {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return sender.Target{URL: parsed, Secrets: []string{secret}}
}

func post(t *testing.T, s *sender.Sender, to sender.Target) sender.Attempt {
	t.Helper()
	return s.Post(t.Context(), to, "event-1", []byte(`{"id":"event-1"}`))
}

func TestPostSendsASignedRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	attempt := post(t, newSender(t, time.Minute, "127.0.0.0/8"), endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("thanks"))
	}))
	require.True(t, attempt.OK())
	require.Equal(t, http.StatusAccepted, attempt.Status)
	require.Equal(t, "thanks", attempt.Body)
	require.Empty(t, attempt.Error)
	require.Equal(t, now, attempt.At)
	require.Equal(t, http.MethodPost, got.Method)
	require.JSONEq(t, `{"id":"event-1"}`, string(body))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, "Convo-Webhooks/1.0", got.Header.Get("User-Agent"))
	want := http.Header{}
	signature.Sign(want, []string{secret}, "event-1", now, body)
	for name := range want {
		require.Equal(t, want[name], got.Header[name], name)
	}
}

func TestOnly2xxIsAccepted(t *testing.T) {
	t.Parallel()
	s := newSender(t, time.Minute, "127.0.0.0/8")
	for status, accepted := range map[int]bool{200: true, 204: true, 299: true, 302: false, 400: false, 410: false, 500: false} {
		attempt := post(t, s, endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
			w.WriteHeader(status)
		}))
		require.Equal(t, accepted, attempt.OK(), status)
		require.Equal(t, status, attempt.Status, "redirects are not followed")
		require.Empty(t, attempt.Error)
	}
}

func TestRetryAfterIsParsedAsSecondsOrDate(t *testing.T) {
	t.Parallel()
	s := newSender(t, time.Minute, "127.0.0.0/8")
	for value, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "0": 0, "-1": 0, "soon": 0, "99999999999": 0,
		now.Add(time.Hour).Format(http.TimeFormat):  time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		attempt := post(t, s, endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			if value != "" {
				w.Header().Set("Retry-After", value)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		require.Equal(t, want, attempt.RetryAfter, value)
	}
}

func TestOnlyTheStartOfTheResponseIsStored(t *testing.T) {
	t.Parallel()
	s := newSender(t, time.Minute, "127.0.0.0/8")
	attempt := post(t, s, endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("a", 1<<20))
	}))
	require.True(t, attempt.OK())
	require.Len(t, attempt.Body, 1024)
	// What PostgreSQL could not store is replaced.
	attempt = post(t, s, endpoint(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a\x00b\xff")) }))
	require.Equal(t, "a\uFFFDb\uFFFD", attempt.Body)
}

func TestConnectionsAreReusedAfterShortResponses(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("a", 1024))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s := newSender(t, time.Minute, "127.0.0.0/8")
	for range 5 {
		require.True(t, post(t, s, target(t, server.URL)).OK())
	}
	require.Equal(t, int32(1), connections.Load())
}

// closedPort returns the URL of a port on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

func TestFailuresAreDescribedWithoutTheServersNetwork(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
		<-r.Context().Done()
	}
	untrusted := httptest.NewTLSServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(untrusted.Close)
	brief := newSender(t, 50*time.Millisecond, "127.0.0.0/8")
	patient := newSender(t, time.Minute, "127.0.0.0/8")
	for _, c := range []struct {
		name   string
		sender *sender.Sender
		target sender.Target
		want   string
	}{
		// The same text: a difference would reveal which addresses and names exist inside.
		{"private address", newSender(t, time.Minute), target(t, closedPort(t)), "the host could not be reached"},
		{"unknown host", patient, target(t, "http://no-such-host.invalid"), "the host could not be reached"},
		{"closed port", patient, target(t, closedPort(t)), "the host could not be reached"},
		{"untrusted certificate", patient, target(t, untrusted.URL), "the TLS certificate is invalid"},
		{"no TLS", patient, target(t, strings.Replace(endpoint(t, hang).URL.String(), "http:", "https:", 1)), "no complete response"},
		{"no response", brief, endpoint(t, hang), "no complete response within 50ms"},
		{"half a response", brief, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			hang(w, r)
		}), "no complete response within 50ms"},
		{"connection reset", patient, endpoint(t, reset), "no complete response"},
	} {
		attempt := post(t, c.sender, c.target)
		require.False(t, attempt.OK(), c.name)
		require.Equal(t, c.want, attempt.Error, c.name)
		require.Positive(t, attempt.Duration, c.name)
	}
}

// reset closes a connection with a reset, whose error has the addresses of both ends.
func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func TestTheOperatorsLogHasTheCausesOfFailures(t *testing.T) {
	t.Parallel()
	for address, cause := range map[string]string{
		"http://10.0.0.1:9/hook?key=secret": "prohibited", "http://no-such-host.invalid/hook?key=secret": "no such host", closedPort(t) + "/hook?key=secret": "connection refused",
	} {
		var text strings.Builder
		attempt := post(t, logging(t, slog.New(slog.NewTextHandler(&text, nil)), time.Minute, egress.Loopback()), target(t, address))
		require.Equal(t, "the host could not be reached", attempt.Error)
		require.Contains(t, text.String(), cause)
		require.Contains(t, text.String(), "eventId=event-1")
		require.NotContains(t, text.String(), "secret")
	}
}

func TestATruncatedResponseIsNotAccepted(t *testing.T) {
	t.Parallel()
	attempt := post(t, newSender(t, time.Minute, "127.0.0.0/8"), endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	require.Equal(t, http.StatusOK, attempt.Status)
	require.Equal(t, "half", attempt.Body)
	require.Equal(t, "no complete response", attempt.Error)
	require.False(t, attempt.OK())
}

func TestStoredHasTheOutcomeOfAnAttempt(t *testing.T) {
	t.Parallel()
	accepted := sender.Attempt{At: now, Duration: 1500 * time.Microsecond, Status: 200, Body: "ok"}.Stored()
	require.Equal(t, int32(1), accepted.DurationMs)
	require.Equal(t, int32(200), *accepted.ResponseStatus)
	require.Equal(t, "ok", *accepted.ResponseBody)
	require.Nil(t, accepted.Error)
	failed := sender.Attempt{At: now, Error: "no connection"}.Stored()
	require.Nil(t, failed.ResponseStatus)
	require.Nil(t, failed.ResponseBody)
	require.Equal(t, "no connection", *failed.Error)
}
