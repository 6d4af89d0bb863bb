package twilio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Codes of Twilio that voice tells apart.
const (
	CodeCallEnded = "21220"
	CodeNotFound  = "20404"
)

// kinds maps Twilio's codes (https://www.twilio.com/docs/api/errors), of refused calls and of
// delivery reports alike. Others are permanent.
var kinds = map[int]provider.Kind{
	20003: provider.Credentials, // wrong token
	20005: provider.Credentials, // account not active
	20006: provider.Credentials, // access denied
	20008: provider.Credentials, // test credentials
	21212: provider.Credentials, // invalid From
	21603: provider.Credentials, // no From
	21606: provider.Credentials, // the number cannot send texts
	21659: provider.Credentials, // the number is not of the account
	21660: provider.Credentials, // the number is of another account
	21705: provider.Credentials, // no such messaging service
	30002: provider.Credentials, // account suspended

	20429: provider.Retryable, // too many requests
	21611: provider.Retryable, // queue of the number full
	14107: provider.Retryable, // rate of the number exceeded
	30001: provider.Retryable, // queue overflow
	30017: provider.Retryable, // carrier congested
	30022: provider.Retryable, // rate of the campaign exceeded

	21211: provider.Blocked, // no such number
	21610: provider.Blocked, // opted out
	21614: provider.Blocked, // not a mobile number
	30003: provider.Blocked, // unreachable handset
	30004: provider.Blocked, // blocked by the handset
	30005: provider.Blocked, // unknown handset
	30006: provider.Blocked, // landline
}

// KindOf returns what a code of Twilio means for a message.
func KindOf(code int) provider.Kind {
	if kind, ok := kinds[code]; ok {
		return kind
	}
	return provider.Permanent
}

// classify maps a response that is no success.
func classify(from apiclient.Response) *provider.SendError {
	var parsed struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(from.Body, &parsed) // a proxy's error page has neither
	e := &provider.SendError{Kind: KindOf(parsed.Code), Code: strconv.Itoa(parsed.Code), Detail: parsed.Message}
	if parsed.Code == 0 {
		e.Code = strconv.Itoa(from.Status)
	}
	if e.Detail == "" {
		e.Detail = fmt.Sprintf("Twilio responded %d.", from.Status)
	}
	switch {
	case from.Status == http.StatusTooManyRequests:
		e.Kind, e.WholeChannel, e.RetryAfter = provider.Retryable, true, httpcall.RetryAfter(from, "Retry-After")
	case from.Status >= http.StatusInternalServerError:
		e.Kind, e.RetryAfter, e.Ambiguous = provider.Retryable, httpcall.RetryAfter(from, "Retry-After"), from.Status == http.StatusGatewayTimeout
	case from.Status == http.StatusUnauthorized:
		e.Kind = provider.Credentials
	case from.Status < http.StatusBadRequest: // nothing redirects a call
		e.Kind, e.Ambiguous = provider.Retryable, true
	}
	return e
}
