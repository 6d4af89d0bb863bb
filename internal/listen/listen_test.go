package listen_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/listen"
	"github.com/avelto/convo/internal/testing/watch"
)

const (
	hookID = "019dde42-9a00-7c3a-9f21-6a0b5f1d2e01"
	secret = "wh_000000000000000000000000000000000000000000000000"
)

// server is a Convo server that returns scripted pages of events.
type server struct {
	*httptest.Server

	t     *testing.T
	polls func(n int, after string) (status int, body string, header map[string]string)

	mu       sync.Mutex
	requests []string // method and target, in order
	created  map[string]any
	polled   int
}

func newServer(t *testing.T, polls func(n int, after string) (int, string, map[string]string)) *server {
	t.Helper()
	s := &server{t: t, polls: polls}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.String())
	if r.Header.Get("Authorization") != "Bearer convo_token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch after := r.URL.Query().Get("after"); {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		_ = json.NewDecoder(r.Body).Decode(&s.created)
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"id":%q,"type":"WEBHOOK","url":"x","events":[],"status":"CONNECTED","signingSecret":%q}`, hookID, secret)
	case after == "":
		w.Header().Set("X-Latest-Sequence", "41")
		_, _ = io.WriteString(w, "[]")
	default:
		status, body, header := s.polls(s.polled, after)
		s.polled++
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

func event(sequence int, kind string) string {
	return fmt.Sprintf(`{"id":"event-%d","type":%q,"sequence":%d}`, sequence, kind, sequence)
}

// endpoint receives forwarded events and returns their bodies by channel.
func endpoint(t *testing.T, status int) (url string, received chan string) {
	t.Helper()
	received = make(chan string, 1000)
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verify(r.Header, body)
		}
		if err != nil {
			received <- "invalid: " + err.Error()
			return
		}
		w.WriteHeader(status)
		received <- string(body)
	}))
	t.Cleanup(e.Close)
	return e.URL, received
}

// verify signs the body again and compares the signatures.
func verify(header http.Header, body []byte) error {
	var seconds int64
	if _, err := fmt.Sscanf(header.Get("X-Convo-Signature"), "t=%d,", &seconds); err != nil {
		return fmt.Errorf("X-Convo-Signature: %w", err)
	}
	want := http.Header{}
	signature.Sign(want, []string{secret}, header.Get("Webhook-Id"), time.Unix(seconds, 0), body)
	for name := range want {
		if want.Get(name) != header.Get(name) {
			return fmt.Errorf("%s is %q, not %q", name, header.Get(name), want.Get(name))
		}
	}
	return nil
}

// start runs a listener; the returned function stops it and returns its error.
func start(t *testing.T, s *server, forwardTo string) (out *watch.Text, stop func() error) {
	t.Helper()
	out = &watch.Text{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- listen.Run(ctx, listen.Options{
			Server: s.URL, Token: "convo_token", Events: []string{"lead.created"}, ForwardTo: forwardTo,
			Print: func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }, // it never fails
		})
	}()
	return out, func() error {
		cancel()
		return <-ended
	}
}

func TestOnlySelectedEventsAreForwarded(t *testing.T) {
	t.Parallel()
	url, received := endpoint(t, http.StatusOK)
	s := newServer(t, func(n int, after string) (int, string, map[string]string) {
		if n > 0 {
			return http.StatusOK, "[]", nil
		}
		if after != "41" {
			return http.StatusOK, "[" + event(1, "lead.created") + "]", nil // events from before the start
		}
		return http.StatusOK, "[" + event(42, "lead.created") + "," + event(43, "lead.updated") + ",7," + event(44, "lead.created") + "]", nil
	})
	out, stop := start(t, s, url)
	require.Equal(t, event(42, "lead.created"), <-received)
	require.Equal(t, event(44, "lead.created"), <-received, "unchanged, byte for byte")
	out.WaitFor(t, "event-44  -> 200 OK")
	require.NoError(t, stop())
	require.Empty(t, received)
	require.Contains(t, out.String(), "malformed event")
	require.Contains(t, out.String(), secret, "to verify signatures")
	require.Equal(t, map[string]any{"type": "WEBHOOK", "url": url, "events": []any{"lead.created"}, "temporary": true}, s.created)
	requests := s.seen()
	require.Equal(t, "GET /api/v1/events?limit=1", requests[0], "the position is read before the webhook exists, so no event is missed")
	require.Equal(t, "DELETE /api/v1/integrations/"+hookID, requests[len(requests)-1])
	require.Contains(t, out.String(), "Deleted the temporary webhook.")
}

// TestFullPageIsFollowedImmediately: a burst must not be forwarded at 200 events a second.
func TestFullPageIsFollowedImmediately(t *testing.T) {
	t.Parallel()
	url, received := endpoint(t, http.StatusOK)
	var polledAt [2]time.Time
	s := newServer(t, func(n int, _ string) (int, string, map[string]string) {
		if n >= 2 {
			return http.StatusOK, "[]", nil
		}
		polledAt[n] = time.Now()
		events := make([]string, 0, 200)
		for i := range 200 - n {
			events = append(events, event(42+200*n+i, "lead.created"))
		}
		return http.StatusOK, "[" + strings.Join(events, ",") + "]", nil
	})
	_, stop := start(t, s, url)
	var last string
	for range 399 {
		last = <-received
	}
	require.Equal(t, event(440, "lead.created"), last)
	require.NoError(t, stop())
	requests := s.seen()
	require.Equal(t, "GET /api/v1/events?after=41&limit=200", requests[2])
	require.Equal(t, "GET /api/v1/events?after=241&limit=200", requests[3])
	require.False(t, polledAt[1].IsZero())
}

func TestFailedPollsAreRetriedAndReportedOnce(t *testing.T) {
	t.Parallel()
	url, received := endpoint(t, http.StatusOK)
	s := newServer(t, func(n int, _ string) (int, string, map[string]string) {
		switch n {
		case 0:
			return http.StatusServiceUnavailable, `{"detail":"The service is temporarily unavailable."}`, map[string]string{"Retry-After": "1"}
		case 1:
			return http.StatusOK, "not JSON", nil
		case 2:
			return http.StatusOK, "[" + event(42, "lead.created") + "]", nil
		}
		return http.StatusOK, "[]", nil
	})
	out, stop := start(t, s, url)
	require.Equal(t, event(42, "lead.created"), <-received)
	require.NoError(t, stop())
	require.Contains(t, out.String(), "503 Service Unavailable: The service is temporarily unavailable.; retrying")
	require.Equal(t, 1, strings.Count(out.String(), "retrying"), "one line per outage")
}

func TestResultOfEndpointIsPrinted(t *testing.T) {
	t.Parallel()
	one := func(n int, _ string) (int, string, map[string]string) {
		if n == 0 {
			return http.StatusOK, "[" + event(42, "lead.created") + "]", nil
		}
		return http.StatusOK, "[]", nil
	}
	failing, received := endpoint(t, http.StatusInternalServerError)
	out, stop := start(t, newServer(t, one), failing)
	<-received
	out.WaitFor(t, "-> 500 Internal Server Error")
	require.NoError(t, stop())

	down := httptest.NewServer(nil)
	down.Close()
	out, stop = start(t, newServer(t, one), down.URL)
	out.WaitFor(t, "connection refused")
	require.NoError(t, stop(), "an endpoint that is down does not stop the listener")
}

func TestRejectedWebhookIsExplained(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("X-Latest-Sequence", "0")
			_, _ = io.WriteString(w, "[]")
			return
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"detail":"url must use https.","errors":[{"location":"body.url","message":"must use https"}]}`)
	}))
	t.Cleanup(refusing.Close)
	err := listen.Run(t.Context(), listen.Options{Server: refusing.URL, Token: "convo_token", ForwardTo: "http://x", Print: func(string, ...any) {}})
	require.ErrorContains(t, err, "422 Unprocessable Entity: url must use https. body.url must use https.")
}

func TestUnusableServersAreReported(t *testing.T) {
	t.Parallel()
	for want, serve := range map[string]http.HandlerFunc{
		"X-Latest-Sequence": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") },
		"401 Unauthorized":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"unexpected response": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Latest-Sequence", "0")
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusCreated)
			}
			_, _ = io.WriteString(w, "{}")
		},
	} {
		s := httptest.NewServer(serve)
		err := listen.Run(t.Context(), listen.Options{Server: s.URL, Token: "convo_token", ForwardTo: "http://x", Print: func(string, ...any) {}})
		s.Close()
		require.ErrorContains(t, err, want)
	}
}
