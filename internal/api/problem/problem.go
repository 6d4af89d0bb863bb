// Package problem answers errors as problem documents (RFC 9457).
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
	"github.com/avelto/convo/internal/apierr"
	"github.com/avelto/convo/internal/platform/postgres"
)

// MediaType of every error's body.
const MediaType = "application/problem+json"

// Writer answers errors.
type Writer struct {
	Kinds map[api.ErrorCode]spec.ErrorKind
	// Docs is the URL under which each code has its page.
	Docs string
}

// Classify turns any error into one that the API answers with. What it does not
// know becomes internal_error, with the error as its cause.
func Classify(err error) *apierr.Error {
	var known *apierr.Error
	var framework *echo.HTTPError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &framework):
		return fromFramework(framework)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e := apierr.New(api.ErrorCodeTimeout, "The request took too long. Try again shortly.")
		e.RetryAfter = time.Second
		return e.WithCause(err)
	case postgres.IsUnavailable(err):
		return apierr.Unavailable(err)
	}
	return internal(err)
}

func internal(err error) *apierr.Error {
	return apierr.New(api.ErrorCodeInternalError,
		"Something went wrong on our side. Quote the request id when you report it.").WithCause(err)
}

func fromFramework(err *echo.HTTPError) *apierr.Error {
	switch err.Code {
	case http.StatusNotFound:
		return apierr.New(api.ErrorCodeNotFound, "The API has no such path.").WithCause(err)
	case http.StatusMethodNotAllowed:
		return apierr.New(api.ErrorCodeMethodNotAllowed, "The path does not take this method; see the Allow header.").WithCause(err)
	case http.StatusBadRequest:
		return apierr.Malformed("The request could not be read.").WithCause(err)
	case http.StatusUnsupportedMediaType:
		return apierr.New(api.ErrorCodeUnsupportedMediaType, "The Content-Type is not one that the operation takes.").WithCause(err)
	}
	return internal(err)
}

// Write answers an error and returns the status.
func (p *Writer) Write(w http.ResponseWriter, requestID string, e *apierr.Error) (int, error) {
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
	w.WriteHeader(kind.Status)
	if _, err := w.Write(append(raw, '\n')); err != nil {
		return kind.Status, fmt.Errorf("write problem: %w", err)
	}
	return kind.Status, nil
}

// challenge says how to authenticate (RFC 6750, section 3).
func challenge(header http.Header, e *apierr.Error) {
	switch {
	case e.Code == api.ErrorCodeUnauthenticated:
		header.Set("WWW-Authenticate", `Bearer realm="convo", error="invalid_token"`)
	case e.MissingScope != "":
		header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="convo", error="insufficient_scope", scope=%q`, e.MissingScope))
	}
}
