//go:build linux

// Package load drives a system as its clients and its receivers of webhooks do, and records
// what they are told.
package load

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	// attemptTimeout is longer than the server's timeout of a request.
	attemptTimeout = 6 * time.Second
	// settleTimeout is how long a client repeats a change.
	settleTimeout = 90 * time.Second
	// minWait and maxWait bound the wait between attempts.
	minWait, maxWait = 20 * time.Millisecond, 200 * time.Millisecond
)

// Client sends requests with a token.
type Client struct {
	Base, Token string
	Journal     *Journal

	http http.Client
}

// NewClient returns a client of an address.
func NewClient(address, token string, journal *Journal) *Client {
	const idle = 64
	transport := &http.Transport{MaxIdleConns: idle, MaxIdleConnsPerHost: idle}
	return &Client{
		Base: "http://" + address + "/api/v1", Token: token, Journal: journal,
		http: http.Client{Timeout: attemptTimeout, Transport: transport},
	}
}

// request is a request of the API.
type request struct{ method, path, key, body string }

// reply is the outcome of an attempt. Its status is 0 if there was no response.
type reply struct {
	sent     time.Time
	status   int
	replayed bool
	body     []byte
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

// again reports whether to repeat the attempt: there was no response, a fault, or the key
// is still in use by an attempt whose server was lost.
func (r reply) again() bool {
	return r.status == 0 || r.status >= http.StatusInternalServerError || r.inUse()
}

func (r reply) inUse() bool {
	return r.status == http.StatusConflict && strings.Contains(string(r.body), "idempotency_key_in_use")
}

// send makes one attempt.
func (c *Client) send(ctx context.Context, r request, requestID string) (out reply) {
	out.sent = time.Now()
	// The body cannot be read again, so that net/http does not repeat the request by itself.
	body := io.NopCloser(strings.NewReader(r.body))
	message, err := http.NewRequestWithContext(ctx, r.method, c.Base+r.path, body)
	if err != nil {
		return out
	}
	message.ContentLength = int64(len(r.body))
	if r.body == "" {
		message.Body = nil
	} else {
		message.Header.Set("Content-Type", "application/json")
	}
	message.Header.Set("Authorization", "Bearer "+c.Token)
	message.Header.Set("X-Request-Id", requestID)
	if r.key != "" {
		message.Header.Set("Idempotency-Key", r.key)
	}
	response, err := c.http.Do(message)
	if err != nil {
		return out
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return out
	}
	out.status, out.body, out.replayed = response.StatusCode, content, response.Header.Get("Idempotent-Replayed") != ""
	return out
}

// change makes a change, and repeats it until it is acknowledged. It is also completed
// after ctx has ended, since its outcome would be unknown otherwise.
func (c *Client) change(ctx context.Context, of *Change, r request) (reply, bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	c.Journal.begin(of)
	of.Keyed = r.key != ""
	for attempt := 0; ; attempt++ {
		out := c.send(ctx, r, fmt.Sprintf("%s.%d", of.ID, attempt))
		c.Journal.attempt(of, out)
		switch {
		case out.ok():
			c.Journal.acknowledge(of)
			return out, true
		case !out.again():
			c.Journal.refuse(of, out)
			return out, false
		case !wait(ctx, min(minWait<<min(attempt, 8), maxWait)):
			return out, false
		}
	}
}

// read makes one attempt to read something.
func (c *Client) read(ctx context.Context, path string) reply {
	out := c.send(ctx, request{method: http.MethodGet, path: path}, "read")
	if !out.ok() && ctx.Err() == nil {
		c.Journal.failed(out)
	}
	return out
}

// wait waits about as long, and reports false if ctx has ended.
func wait(ctx context.Context, about time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(about/2 + rand.N(about)):
		return true
	}
}
