// Package problem is the API's error type, the table that maps domain errors to it,
// and their response: problem documents (RFC 9457).
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/platform/postgres"
)

// MediaType of every error's body.
const MediaType = "application/problem+json"

// Writer writes error responses.
type Writer struct {
	Kinds map[api.ErrorCode]spec.ErrorKind
	// Docs is the URL prefix of the page of each code.
	Docs string
}

// Classify returns the API's error for any error: an *Error as it is, errors in the table,
// errors of the framework, timeouts and an unavailable database. Any other error is
// internal_error, with err as its cause.
func Classify(err error) *Error {
	var framework *echo.HTTPError
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	for _, row := range table {
		if mapped := row(err); mapped != nil {
			return mapped.WithCause(err)
		}
	}
	switch {
	case errors.As(err, &framework):
		return fromFramework(framework.Code).WithCause(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e := New(api.ErrorCodeTimeout, "The request took too long. Retry shortly.")
		e.RetryAfter = time.Second
		return e.WithCause(err)
	case postgres.IsUnavailable(err):
		return Unavailable(err)
	}
	return internal(err)
}

// fromFramework returns the API's error for a status of Echo.
func fromFramework(status int) *Error {
	switch status {
	case http.StatusNotFound:
		return New(api.ErrorCodeNotFound, "The API has no such path.")
	case http.StatusMethodNotAllowed:
		return New(api.ErrorCodeMethodNotAllowed, "The path does not support this method. See the Allow header.")
	case http.StatusBadRequest:
		return Malformed("The request could not be read.")
	case http.StatusUnsupportedMediaType:
		return New(api.ErrorCodeUnsupportedMediaType, "The operation does not accept this Content-Type.")
	}
	return internal(nil)
}

// Write writes the response of an error and returns its status.
func (p *Writer) Write(w http.ResponseWriter, requestID string, e *Error) (int, error) {
	kind := p.Kinds[e.Code]
	body := api.Problem{
		Type: p.Docs + string(e.Code), Title: kind.Title, Status: int32(kind.Status), Detail: e.Detail,
		Instance: "urn:convo:request:" + requestID, Code: e.Code, RequestID: requestID,
	}
	if e.MissingScope != "" {
		body.MissingScope = &e.MissingScope
	}
	if len(e.Fields) > 0 {
		body.Errors = &e.Fields
	}
	header := w.Header()
	header.Set("Content-Type", MediaType)
	header.Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	challenge(header, e)
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, fmt.Errorf("write problem: %w", err)
	}
	raw = append(raw, '\n')
	header.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(kind.Status)
	if _, err := w.Write(raw); err != nil {
		return kind.Status, fmt.Errorf("write problem: %w", err)
	}
	return kind.Status, nil
}

// challenge returns the value of WWW-Authenticate (RFC 6750, section 3).
func challenge(header http.Header, e *Error) {
	switch {
	case e.Code == api.ErrorCodeUnauthenticated:
		header.Set("WWW-Authenticate", `Bearer realm="convo", error="invalid_token"`)
	case e.MissingScope != "":
		header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="convo", error="insufficient_scope", scope=%q`, e.MissingScope))
	}
}
