package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// kinds maps the errors of auth.test and chat.postMessage
// (https://api.slack.com/methods/chat.postMessage#errors). Others are permanent.
var kinds = map[string]provider.Kind{
	"invalid_auth": provider.Credentials, "not_authed": provider.Credentials, "account_inactive": provider.Credentials,
	"token_revoked": provider.Credentials, "token_expired": provider.Credentials, "missing_scope": provider.Credentials,
	"no_permission": provider.Credentials, "not_allowed_token_type": provider.Credentials, "org_login_required": provider.Credentials,
	"ekm_access_denied": provider.Credentials, "access_denied": provider.Credentials, "team_access_not_granted": provider.Credentials,

	"channel_not_found": provider.Blocked, "is_archived": provider.Blocked, "not_in_channel": provider.Blocked, "user_not_found": provider.Blocked,
	"user_disabled": provider.Blocked, "cannot_dm_bot": provider.Blocked, "user_not_visible": provider.Blocked,

	"ratelimited": provider.Retryable, "rate_limited": provider.Retryable, "accesslimited": provider.Retryable, "request_timeout": provider.Retryable,
	"service_unavailable": provider.Retryable, "team_added_to_org": provider.Retryable, "internal_error": provider.Retryable,
	"fatal_error": provider.Retryable,
}

// parseResponse reads the result of a call, or returns its error: most come with status 200.
func parseResponse(from apiclient.Response, result any) error {
	var parsed struct {
		OK     bool   `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"` // of missing_scope
	}
	err := json.Unmarshal(from.Body, &parsed)
	switch {
	case from.Status == http.StatusTooManyRequests:
		return limited(from)
	case from.Status >= http.StatusInternalServerError && parsed.Error == "":
		return &provider.SendError{
			Kind: provider.Retryable, Code: strconv.Itoa(from.Status), Detail: fmt.Sprintf("Slack responded %d.", from.Status),
			RetryAfter: httpcall.RetryAfter(from, "Retry-After"), Ambiguous: from.Status == http.StatusGatewayTimeout,
		}
	case err != nil && from.Status >= http.StatusBadRequest:
		return &provider.SendError{Kind: provider.Permanent, Code: strconv.Itoa(from.Status), Detail: fmt.Sprintf("Slack responded %d.", from.Status)}
	case err != nil || !parsed.OK && parsed.Error == "":
		return service.Unreadable(err)
	case !parsed.OK:
		return refused(from, parsed.Error, parsed.Needed)
	}
	if err := json.Unmarshal(from.Body, result); err != nil {
		return service.Unreadable(err)
	}
	return nil
}

// refused explains an error code of Slack.
func refused(from apiclient.Response, code, needed string) *provider.SendError {
	if code == "ratelimited" || code == "rate_limited" {
		return limited(from)
	}
	e := &provider.SendError{Kind: provider.Permanent, Code: code, Detail: "Slack refused the call: " + code + "."}
	if kind, ok := kinds[code]; ok {
		e.Kind = kind
	}
	if needed != "" {
		e.Detail = "The bot needs the scope " + needed + "."
	}
	// Slack documents that part of the call may have succeeded.
	e.Ambiguous = code == "internal_error" || code == "fatal_error"
	return e
}

func limited(from apiclient.Response) *provider.SendError {
	return &provider.SendError{
		Kind: provider.Retryable, Code: "ratelimited", Detail: "Slack's rate limit is exceeded.", RetryAfter: httpcall.RetryAfter(from, "Retry-After"), WholeChannel: true,
	}
}

// safe is the error of a call that can be made again.
func safe(err error) error {
	if failed, ok := errors.AsType[*provider.SendError](err); ok {
		failed.Ambiguous = false
	}
	return err
}
