// Package sender makes one attempt to deliver an event to a webhook: a signed POST.
package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
)

const (
	// Timeout is the default limit from connecting to the end of the response.
	Timeout = 15 * time.Second
	// keptBody is how much of a response body is read and stored, in bytes.
	keptBody    = 1024
	maxHeader   = 16 << 10 // bytes
	idleTimeout = 90 * time.Second
	userAgent   = "Convo-Webhooks/1.0"
)

// Sender posts events. It follows no redirects, uses no proxy, and connects only to
// addresses that its guard allows.
type Sender struct {
	transport *http.Transport
	clock     clock.Clock
	log       *slog.Logger
	timeout   time.Duration
}

// New returns a sender that keeps up to perHost idle connections to each endpoint.
// timeout bounds each attempt. The log gets the causes of failures that the owner of an
// endpoint is not told.
func New(guard *egress.Guard, c clock.Clock, log *slog.Logger, timeout time.Duration, perHost int) *Sender {
	return &Sender{clock: c, log: log, timeout: timeout, transport: &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: perHost, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout: timeout, ExpectContinueTimeout: time.Second,
	}}
}

// Post signs and sends an event once. Failures are reported in the attempt.
func (s *Sender) Post(ctx context.Context, target Target, eventID string, body []byte) Attempt {
	attempt := Attempt{At: s.clock.Now()}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request := (&http.Request{
		Method: http.MethodPost, URL: target.URL, Host: target.URL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, 8), Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	request.Header["Content-Type"] = []string{"application/json"}
	request.Header["User-Agent"] = []string{userAgent}
	signature.Sign(request.Header, target.Secrets, eventID, attempt.At, body)
	response, err := s.transport.RoundTrip(request) //nolint:bodyclose // readStart closes it
	if err == nil {
		attempt.Status = response.StatusCode
		attempt.RetryAfter = retryAfter(response.Header.Get("Retry-After"), attempt.At)
		attempt.Body, err = readStart(response.Body)
	}
	if err != nil {
		attempt.Error = s.explain(err)
		// Without the URL, whose path and query may be secret.
		s.log.InfoContext(ctx, "webhook attempt failed", "eventId", eventID, "host", target.URL.Host, "error", err)
	}
	attempt.Duration = time.Since(started)
	return attempt
}

// Close closes idle connections.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// readStart reads the first bytes of a response. A longer response costs its connection, which
// could not be used again without reading all of it.
func readStart(body io.ReadCloser) (string, error) {
	kept, err := io.ReadAll(io.LimitReader(body, keptBody))
	if err == nil && len(kept) == keptBody {
		_, _ = body.Read(make([]byte, 1)) // reads EOF if the body ends here, so that the connection is reused
	}
	_ = body.Close() // the start has been read
	text := strings.ToValidUTF8(string(kept), "\uFFFD")
	return strings.ReplaceAll(text, "\x00", "\uFFFD"), err
}

// explain describes an error for the owner of the endpoint. The texts for a forbidden
// address, a name without one and a closed port are the same, and none has an address: a
// difference would reveal the operator's network.
func (s *Sender) explain(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no complete response within %s", s.timeout)
	}
	if errors.Is(err, context.Canceled) {
		return "the sender was stopped"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the TLS certificate is invalid"
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return "the host could not be reached"
	}
	return "no complete response"
}

// retryAfter parses Retry-After: seconds or a date (RFC 9110, section 10.2.3); 0 if it
// is missing or malformed.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
