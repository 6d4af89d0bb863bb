// Package apierr holds the errors that the API answers with: a closed set of
// codes, whose statuses and titles stand in the published document.
package apierr

import (
	"fmt"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Code is the stable reason of an error.
type Code = api.ErrorCode

// Error is a refusal. Detail is for the caller; Cause is for the log alone.
type Error struct {
	Code         Code
	Detail       string
	Fields       []api.FieldError
	MissingScope api.Scope
	RetryAfter   time.Duration
	Cause        error
}

// New returns an error with a detail that the caller may read.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Error says code and detail, and the cause where there is one: for the log.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithCause keeps the internal reason for the log.
func (e *Error) WithCause(err error) *Error {
	e.Cause = err
	return e
}

// NotFound is the answer for what does not exist and for what exists in another
// workspace: the two cannot be told apart.
func NotFound() *Error {
	return New(api.ErrorCodeNotFound, "No such resource in this workspace.")
}

// Invalid lists every broken rule of a request.
func Invalid(fields ...api.FieldError) *Error {
	rules := "1 rule"
	if len(fields) != 1 {
		rules = fmt.Sprintf("%d rules", len(fields))
	}
	e := New(api.ErrorCodeValidationFailed, "The request breaks %s; see errors.", rules)
	e.Fields = fields
	return e
}

// Malformed is a request that cannot be read at all.
func Malformed(format string, args ...any) *Error {
	return New(api.ErrorCodeMalformedRequest, format, args...)
}

// MissingScope refuses a token that lacks a scope.
func MissingScope(scope api.Scope) *Error {
	e := New(api.ErrorCodeMissingScope, "The token lacks the scope %s.", scope)
	e.MissingScope = scope
	return e
}

// Unavailable asks the caller to try again later.
func Unavailable(cause error) *Error {
	e := New(api.ErrorCodeServiceUnavailable, "The service is unavailable for the moment. Try again shortly.")
	e.RetryAfter = time.Second
	return e.WithCause(cause)
}

// Found turns the error of a query for one row into not_found where there is
// none, and wraps any other with what was being done.
func Found(doing string, err error) error {
	if postgres.IsNotFound(err) {
		return NotFound()
	} else if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
