package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/platform/rawhttp"
)

// Unparsed returns what responds to requests that net/http could not parse: with a
// problem document, as to all others.
func Unparsed(document *spec.Document, publicURL string, log *slog.Logger) rawhttp.Respond {
	writer := newWriter(document, publicURL)
	return func(remote net.Addr, status, reason string, cause error) []byte {
		e, requestID := unparsed(status, reason, cause), web.NewRequestID()
		w := &buffer{header: http.Header{"X-Request-Id": {requestID}, "X-Content-Type-Options": {"nosniff"}}}
		code, err := writer.Write(w, requestID, e)
		log.LogAttrs(context.Background(), slog.LevelInfo, "request", slog.String("requestId", requestID), slog.String("operationId", "unparsed"),
			slog.Int("status", code), slog.String("remote", remote.String()), slog.String("error", errors.Join(e, err).Error()))
		return w.response()
	}
}

func unparsed(status, reason string, cause error) *problem.Error {
	switch {
	case status == "431":
		return problem.New(api.ErrorCodeHeadersTooLarge, "The headers are too large.")
	case cause != nil:
		return problem.Malformed("The request is not valid HTTP/1.1: %s.", cause)
	case reason != "":
		return problem.Malformed("The request is not valid HTTP/1.1: %s.", reason)
	}
	return problem.Malformed("The request is not valid HTTP/1.1.")
}

// buffer holds a response that no http.ResponseWriter of a server can send.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (b *buffer) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter.
func (b *buffer) WriteHeader(status int) { b.status = status }

// Write implements http.ResponseWriter.
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// response returns the bytes to send.
func (b *buffer) response() []byte {
	var raw bytes.Buffer
	response := http.Response{
		StatusCode: b.status, ProtoMajor: 1, ProtoMinor: 1, Header: b.header,
		Body: io.NopCloser(&b.body), ContentLength: int64(b.body.Len()), Close: true,
	}
	_ = response.Write(&raw) // a buffer can always be written to
	return raw.Bytes()
}
