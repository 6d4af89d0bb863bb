// Package apiclient calls the HTTP APIs of other services. It connects only to addresses
// that the egress guard allows, follows no redirects and uses no proxy, reads bounded
// responses, and tells whether a failed request may have been received.
package apiclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/avelto/convo/internal/platform/egress"
)

const (
	// maxBody is the longest response that is read, in bytes.
	maxBody     = 1 << 20
	maxHeader   = 64 << 10 // bytes
	idlePerHost = 16
	idleTimeout = 90 * time.Second
	tlsTimeout  = 10 * time.Second
	userAgent   = "Convo/1.0"
)

// ErrTooLong means that a response is longer than the client reads.
var ErrTooLong = errors.New("apiclient: the response is too long")

// Client sends requests. The context of a request must have a deadline.
type Client struct{ transport *http.Transport }

// New returns a client.
func New(guard *egress.Guard) *Client {
	return &Client{transport: &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: idlePerHost,
		IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: tlsTimeout, MaxResponseHeaderBytes: maxHeader,
		DisableCompression: true,
	}}
}

// Request is a request to send.
type Request struct {
	Method string
	URL    string
	Header http.Header // may be nil
	Body   []byte
}

// Response is what the service responded, with any status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Error means that there is no complete response.
type Error struct {
	// Sent says that the service may have received the request.
	Sent bool
	Err  error
}

// Error implements error. It can contain the URL's host, never its path.
func (e *Error) Error() string { return "apiclient: " + e.Err.Error() }

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// Do sends a request once and reads the response. It fails with *Error.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	response, sent, err := c.send(ctx, r)
	if err != nil {
		return Response{}, &Error{Sent: sent, Err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = ErrTooLong
	}
	if err != nil {
		return Response{}, &Error{Sent: true, Err: err}
	}
	return Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// Open sends a request once and returns the response for reading. The caller closes its
// body and bounds what it reads.
func (c *Client) Open(ctx context.Context, r Request) (*http.Response, error) {
	response, sent, err := c.send(ctx, r)
	if err != nil {
		return nil, &Error{Sent: sent, Err: err}
	}
	return response, nil
}

// CloseIdle closes unused connections.
func (c *Client) CloseIdle() { c.transport.CloseIdleConnections() }

func (c *Client) send(ctx context.Context, r Request) (response *http.Response, sent bool, err error) {
	var written atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// The first byte of the request may go out with its headers.
		WroteHeaderField: func(string, []string) { written.Store(true) },
	})
	request, err := http.NewRequestWithContext(traced, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, false, errors.New("malformed request") // the cause contains the URL
	}
	maps.Copy(request.Header, r.Header)
	request.Header.Set("User-Agent", userAgent)
	response, err = c.transport.RoundTrip(request)
	if err != nil {
		return nil, written.Load(), fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	return response, true, nil
}
