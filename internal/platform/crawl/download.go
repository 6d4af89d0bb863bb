package crawl

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/temoto/robotstxt"

	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
)

const (
	maxRobots = 512 << 10 // bytes
	// maxPatterns is how many lines of a robots.txt may have wildcards: each becomes a
	// regular expression in memory.
	maxPatterns  = 1000
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes
	firstRead    = 64 << 10 // bytes to allocate for a page of unknown length
	pageTimeout  = 20 * time.Second
)

func transport(guard *egress.Guard) *http.Transport {
	return &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: pageTimeout,
		ResponseHeaderTimeout: pageTimeout, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
}

// file is a response, not decompressed.
type file struct {
	status      int
	address     string // canonical, after redirects
	contentType string
	encoding    string // empty or gzip
	body        []byte
}

// download fetches a file of at most limit bytes; a larger one is an error. accept is the
// content encoding to request. A response with another encoding is an error.
func (s *Site) download(ctx context.Context, address string, limit int64, accept string) (*file, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, failed("has an invalid address")
	}
	request.Header.Set("User-Agent", UserAgent)
	request.Header.Set("Accept-Encoding", accept)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, explain(err)
	}
	defer response.Body.Close()
	got := &file{status: response.StatusCode, contentType: response.Header.Get("Content-Type")}
	if got.address, err = canonical(response.Request.URL); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return got, nil // the body of an error is not used
	}
	if got.encoding = response.Header.Get("Content-Encoding"); got.encoding != "" && got.encoding != accept {
		return nil, failed("uses a content encoding that was not requested")
	}
	if got.encoding == "identity" {
		got.encoding = ""
	}
	if got.body, err = readBody(response, limit); err != nil {
		return nil, err
	}
	return got, nil
}

// readBody reads a body of at most limit bytes.
func readBody(response *http.Response, limit int64) ([]byte, error) {
	tooLarge := failed("is larger than %d MiB", extract.MaxPage>>20)
	if response.ContentLength > limit {
		return nil, tooLarge
	}
	var body bytes.Buffer
	body.Grow(int(max(response.ContentLength, firstRead)) + bytes.MinRead)
	if _, err := body.ReadFrom(io.LimitReader(response.Body, limit+1)); err != nil {
		return nil, explain(err)
	}
	if int64(body.Len()) > limit {
		return nil, tooLarge
	}
	return body.Bytes(), nil
}

// redirect follows redirects to the same host if robots.txt allows the target. The address
// of each hop is checked when the connection is opened.
func (s *Site) redirect(request *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return failed("redirects too often")
	case request.URL.Host != s.host:
		return failed("redirects to another host")
	case s.robots != nil && !s.Allows(request.URL):
		return skipped("redirects to a page that robots.txt disallows")
	}
	return nil
}

// readRobots fetches and parses robots.txt. One that cannot be parsed forbids nothing.
func (s *Site) readRobots(ctx context.Context, address string) (*robotstxt.RobotsData, error) {
	got, err := s.download(ctx, address, maxRobots, "identity")
	if err != nil {
		return nil, err
	}
	if got.status >= http.StatusInternalServerError {
		return nil, failed("returned status %d for its robots.txt", got.status)
	}
	patterns := 0
	for line := range bytes.Lines(got.body) {
		if bytes.ContainsAny(line, "*$") {
			patterns++
		}
	}
	if patterns > maxPatterns {
		return nil, failed("has a robots.txt with more than %d patterns", maxPatterns)
	}
	rules, err := robotstxt.FromStatusAndBytes(got.status, got.body)
	if err != nil {
		return &robotstxt.RobotsData{}, nil //nolint:nilerr // a malformed robots.txt forbids nothing (RFC 9309, section 2.2)
	}
	return rules, nil
}

// explain says why a request failed. The texts for a forbidden address and for one that
// does not exist are the same: a difference would reveal the operator's network.
func explain(err error) error {
	if failure, ok := errors.AsType[*PageError](err); ok {
		return failure
	}
	if failure, ok := errors.AsType[*url.Error](err); ok && failure.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return failed("did not respond in time")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return failed("has an invalid TLS certificate")
	}
	return failed("could not be reached")
}
