package problem

import (
	"fmt"
	"time"

	"github.com/avelto/convo/gen/api"
)

// Code is the stable reason of an error, as published in the document.
type Code = api.ErrorCode

// Error is an error as the API reports it. Detail, Fields and MissingScope are for
// the caller; Cause is only logged. RetryAfter is rounded up to whole seconds; zero
// sends no Retry-After header.
type Error struct {
	Code         Code
	Detail       string
	Fields       []api.FieldError
	MissingScope api.Scope
	RetryAfter   time.Duration
	Cause        error
}

// New returns an error whose formatted detail the caller reads.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Error returns the code, the detail and the cause, for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithCause sets the internal reason, which is only logged.
func (e *Error) WithCause(err error) *Error {
	e.Cause = err
	return e
}

// NotFound is the response for resources that do not exist and for those of other
// workspaces: the caller cannot tell the two apart.
func NotFound() *Error {
	return New(api.ErrorCodeNotFound, "No such resource in this workspace.")
}

// Invalid lists every validation error of a request.
func Invalid(fields ...api.FieldError) *Error {
	count := "1 validation error"
	if len(fields) != 1 {
		count = fmt.Sprintf("%d validation errors", len(fields))
	}
	e := New(api.ErrorCodeValidationFailed, "The request has %s. See `errors`.", count)
	e.Fields = fields
	return e
}

// Malformed is a request that cannot be parsed.
func Malformed(format string, args ...any) *Error {
	return New(api.ErrorCodeMalformedRequest, format, args...)
}

// MissingScope refuses a token without the scope.
func MissingScope(scope api.Scope) *Error {
	e := New(api.ErrorCodeMissingScope, "The token lacks the scope %s.", scope)
	e.MissingScope = scope
	return e
}

// Unavailable asks the caller to retry in a second.
func Unavailable(cause error) *Error {
	e := New(api.ErrorCodeServiceUnavailable, "The service is temporarily unavailable. Retry shortly.")
	e.RetryAfter = time.Second
	return e.WithCause(cause)
}

func internal(err error) *Error {
	return New(api.ErrorCodeInternalError,
		"Something went wrong on our side. Quote the request id when you report it.").WithCause(err)
}
