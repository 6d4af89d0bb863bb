package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/avelto/convo/internal/domain/agent/model"
)

// longestRetryAfter is the longest pause that is taken over from a response.
const longestRetryAfter = 24 * time.Hour

// Malformed is a response that is not as the API documents it.
func Malformed() error { return &model.Error{Kind: model.Invalid} }

// Cut is a stream that ended before its end.
func Cut() error { return &model.Error{Kind: model.Unreachable} }

// Refused is a response without a reply, because the model or a content filter refused.
func Refused() error { return &model.Error{Kind: model.Refused} }

// failure returns what it means that there is no complete response.
func failure(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &model.Error{Kind: model.TimedOut}
	case errors.Is(err, errTooLong) || errors.Is(err, bufio.ErrTooLong):
		return Malformed()
	}
	return &model.Error{Kind: model.Unreachable}
}

// rejected returns what the status of a response means. Both APIs name the error in its body.
func rejected(status int, header http.Header, body []byte) error {
	var named struct {
		Error struct {
			Code string `json:"code"`
			Type string `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &named) != nil {
		named.Error.Code = "" // the status says enough
	}
	return &model.Error{
		Kind: kind(status, []string{named.Error.Code, named.Error.Type}), Status: status, RetryAfter: retryAfter(header),
	}
}

func kind(status int, names []string) model.Kind {
	named := func(name string) bool { return slices.Contains(names, name) }
	switch {
	case named("insufficient_quota") || named("billing_error"):
		return model.Credentials
	case named("content_filter") || named("content_policy_violation"):
		return model.Refused
	case status == http.StatusUnauthorized || status == http.StatusPaymentRequired || status == http.StatusForbidden:
		return model.Credentials
	case status == http.StatusTooManyRequests:
		return model.RateLimited
	case status == http.StatusRequestTimeout || status == http.StatusGatewayTimeout:
		return model.TimedOut
	case status >= http.StatusInternalServerError: // also 529, which Anthropic sends if it is overloaded
		return model.Overloaded
	}
	return model.Invalid
}

// retryAfter reads Retry-After in seconds, as the providers send it.
func retryAfter(header http.Header) *time.Duration {
	seconds, err := strconv.ParseFloat(header.Get("Retry-After"), 64)
	if err != nil || seconds < 0 || seconds > longestRetryAfter.Seconds() {
		return nil
	}
	return new(time.Duration(seconds * float64(time.Second)))
}
