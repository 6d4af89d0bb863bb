package discord

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// kinds maps Discord's codes (https://discord.com/developers/docs/topics/opcodes-and-status-codes).
// Others are permanent.
var kinds = map[int]provider.Kind{
	10003: provider.Blocked, // unknown channel
	10013: provider.Blocked, // unknown user
	50001: provider.Blocked, // the bot cannot see the channel
	50007: provider.Blocked, // the user accepts no messages from the bot
	50013: provider.Blocked, // the bot cannot write there
	50278: provider.Blocked, // no server in common with the user

	40001: provider.Credentials, // unauthorized
	40002: provider.Credentials, // the account must be verified
	50014: provider.Credentials, // invalid token

	20016:  provider.Retryable, // slow mode
	20028:  provider.Retryable, // rate of the channel exceeded
	20029:  provider.Retryable, // rate of the server exceeded
	40003:  provider.Retryable, // direct messages are opened too fast
	40062:  provider.Retryable, // resource rate limited
	130000: provider.Retryable, // overloaded
}

// classify maps a response that is no success.
func classify(from apiclient.Response) *provider.SendError {
	var parsed struct {
		Code       int     `json:"code"`
		Message    string  `json:"message"`
		RetryAfter float64 `json:"retry_after"` // seconds
		Global     bool    `json:"global"`
	}
	_ = json.Unmarshal(from.Body, &parsed) // a proxy's error page has none of them
	e := &provider.SendError{Kind: provider.Permanent, Code: strconv.Itoa(parsed.Code), Detail: parsed.Message}
	if kind, ok := kinds[parsed.Code]; ok {
		e.Kind = kind
	}
	if parsed.Code == 0 {
		e.Code = strconv.Itoa(from.Status)
	}
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("Discord responded %d.", from.Status)
	}
	wait := httpcall.RetryAfter(from, "Retry-After", "X-RateLimit-Reset-After")
	switch {
	case from.Status == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = provider.Retryable, max(httpcall.Seconds(parsed.RetryAfter), wait)
		// The limit of a resource does not concern messages to others.
		e.WholeChannel = parsed.Global || from.Header.Get("X-RateLimit-Global") == "true"
	case from.Status == http.StatusUnauthorized:
		e.Kind = provider.Credentials
	case from.Status >= http.StatusInternalServerError, from.Status < http.StatusBadRequest:
		e.Kind, e.RetryAfter, e.Ambiguous = provider.Retryable, wait, from.Status == http.StatusGatewayTimeout || from.Status < http.StatusBadRequest
	}
	return e
}
