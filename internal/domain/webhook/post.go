package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/egress"
)

const (
	// Timeout is how long an endpoint may take for its whole answer.
	Timeout = 15 * time.Second
	// keptBody is how much of an answer is kept, in bytes; no more is read.
	keptBody    = 1024
	maxHeader   = 16 << 10 // bytes
	idleTimeout = 90 * time.Second
	userAgent   = "Convo-Webhooks/1.0"
)

// Attempt is what became of one POST.
type Attempt struct {
	At         time.Time
	Duration   time.Duration
	Status     int    // 0 where there was no answer
	Body       string // its beginning
	Error      string // why there was none, or no whole one
	RetryAfter time.Duration
}

// OK reports whether the endpoint has taken the event.
func (a Attempt) OK() bool {
	return a.Error == "" && a.Status >= http.StatusOK && a.Status < http.StatusMultipleChoices
}

// Target is where to send, and the secrets to sign with.
type Target struct {
	URL     *url.URL
	Secrets []string
}

// Sender posts events. It follows no redirects, uses no proxy, and connects only
// where its guard lets it.
type Sender struct {
	transport *http.Transport
	clock     clock.Clock
	timeout   time.Duration
}

// NewSender returns a sender that keeps up to perHost connections to each endpoint
// open between posts.
func NewSender(guard *egress.Guard, c clock.Clock, timeout time.Duration, perHost int) *Sender {
	return &Sender{clock: c, timeout: timeout, transport: &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: perHost, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout: timeout, ExpectContinueTimeout: time.Second,
	}}
}

// Post signs and sends an event once. It does not fail: what went wrong is in the
// attempt.
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
	Sign(request.Header, target.Secrets, eventID, attempt.At, body)
	answer, err := s.transport.RoundTrip(request) //nolint:bodyclose // beginning closes it
	if err == nil {
		attempt.Status = answer.StatusCode
		attempt.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), attempt.At)
		attempt.Body, err = beginning(answer.Body)
	}
	if err != nil {
		attempt.Error = s.explain(err)
	}
	attempt.Duration = time.Since(started)
	return attempt
}

// Close lets go of idle connections.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// beginning reads the start of an answer. A longer one costs its connection, which
// could not be used again without reading all of it.
func beginning(body io.ReadCloser) (string, error) {
	kept, err := io.ReadAll(io.LimitReader(body, keptBody))
	if err == nil && len(kept) == keptBody {
		_, _ = body.Read(make([]byte, 1)) // sees the end, if it is there
	}
	_ = body.Close() // nothing is left to lose
	text := strings.ToValidUTF8(string(kept), "\uFFFD")
	return strings.ReplaceAll(text, "\x00", "\uFFFD"), err
}

// explain says what went wrong, without what concerns the operator alone.
func (s *Sender) explain(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case egress.Refused(err):
		return "the address is private or reserved"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no whole answer within %s", s.timeout)
	case errors.As(err, &dns):
		return "the host name has no address"
	case errors.Is(err, context.Canceled):
		return "the sender was stopped"
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return "no connection: " + strings.TrimPrefix(dial.Err.Error(), "connect: ")
	}
	return "no whole answer: " + err.Error()
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); 0 where there is
// none.
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
