package crawl

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
)

const (
	gzip         = "gzip" // the content encoding that is requested
	maxRedirects = 5
	maxHeader    = 64 << 10 // bytes
	pageTimeout  = 20 * time.Second
)

func transport(guard *egress.Guard) *http.Transport {
	return &http.Transport{
		DialContext: guard.Dialer().DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: pageTimeout,
		ResponseHeaderTimeout: pageTimeout, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
}

// file is a response. Its body is neither read nor decompressed yet: the reader process
// does that.
type file struct {
	status      int
	address     string // canonical, after redirects
	contentType string
	encoding    string // empty or gzip
	body        *body

	cancel context.CancelFunc
}

func (f *file) close() {
	f.cancel()
	if f.body != nil {
		_ = f.body.Close() // it is not read any more
	}
}

// download requests a file. A body of more than limit bytes cannot be read to its end. A
// response with a content encoding that was not requested is an error. The caller closes
// the file.
func (s *Site) download(ctx context.Context, address string, limit int64) (_ *file, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	got := &file{cancel: cancel}
	defer func() {
		if err != nil {
			got.close()
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, failed("has an invalid address")
	}
	request.Header.Set("User-Agent", UserAgent)
	request.Header.Set("Accept-Encoding", gzip)
	response, err := s.client.Do(request) //nolint:bodyclose // the file closes it
	if err != nil {
		return nil, explain(err)
	}
	got.body = &body{ReadCloser: response.Body, limit: limit}
	got.status, got.contentType = response.StatusCode, response.Header.Get("Content-Type")
	if got.address, err = canonical(response.Request.URL); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return got, nil // the body of an error is not used
	}
	if response.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	switch encoding := strings.ToLower(response.Header.Get("Content-Encoding")); encoding {
	case "", "identity": // may be sent regardless of what was requested (RFC 9110, section 12.5.3)
	case gzip:
		got.encoding = encoding
	default:
		return nil, failed("uses a content encoding that was not requested")
	}
	return got, nil
}

func tooLarge(limit int64) error {
	if limit == extract.MaxRobots {
		return failed("has a robots.txt of more than %d KiB", limit>>10)
	}
	return failed("is larger than %d MiB", limit>>20)
}

// read passes a file to the reader process, which gets it as it arrives: this process
// holds little of it at any time. A body that cannot be read ends the reader.
func read[T any](ctx context.Context, f *file, task extract.Task, reader func(context.Context, extract.Task, io.Reader) (T, error)) (T, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f.body.stop = stop
	task.Encoding, task.Address = f.encoding, f.address
	found, err := reader(ctx, task, f.body)
	if broken := f.body.failure.Load(); broken != nil {
		return found, *broken
	}
	return found, err
}

// body is the body of a response, up to a limit.
type body struct {
	io.ReadCloser

	size, limit int64
	stop        context.CancelFunc    // called at the first failure
	failure     atomic.Pointer[error] // a *PageError
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.size += int64(n); b.size > b.limit {
		err = tooLarge(b.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(err)
		b.failure.CompareAndSwap(nil, &err)
		b.stop()
	}
	return n, err
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

// readRobots reads robots.txt. A site without one forbids nothing.
func (s *Site) readRobots(ctx context.Context, address string) (*extract.Robots, error) {
	got, err := s.download(ctx, address, extract.MaxRobots)
	if err != nil {
		return nil, err
	}
	defer got.close()
	if got.status >= http.StatusInternalServerError {
		return nil, failed("returned status %d for its robots.txt", got.status)
	}
	if got.status != http.StatusOK {
		return &extract.Robots{}, nil
	}
	rules, err := read(ctx, got, extract.Task{Robot: robot}, s.reader.ReadRobots)
	if blame, ok := errors.AsType[*extract.Error](err); ok && blame.Code == extract.TooLarge {
		return nil, failed("has a robots.txt with %s", blame.Message)
	} else if ok {
		return nil, failed("has a robots.txt that cannot be read")
	}
	return &rules, err
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
