package telegram

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// response is the envelope of every response of the Bot API.
type response struct {
	OK          bool            `json:"ok"`
	Result      json.RawMessage `json:"result"`
	ErrorCode   int             `json:"error_code"`
	Description string          `json:"description"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"` // seconds
	} `json:"parameters"`
}

// parseResponse stores the result of a call, or returns its error.
func parseResponse(from apiclient.Response, result any) error {
	var parsed response
	if err := json.Unmarshal(from.Body, &parsed); err != nil {
		if from.Status >= http.StatusInternalServerError || from.Status < http.StatusMultipleChoices {
			// A proxy's error page, or a success that cannot be read.
			return &provider.SendError{
				Kind: provider.Retryable, Code: strconv.Itoa(from.Status), Detail: "Telegram's response cannot be read.",
				Ambiguous: from.Status < http.StatusMultipleChoices || from.Status == http.StatusGatewayTimeout, Cause: err,
			}
		}
		parsed.ErrorCode, parsed.Description = from.Status, http.StatusText(from.Status)
	}
	if !parsed.OK {
		return classify(parsed)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(parsed.Result, result); err != nil {
		return service.Unreadable(err)
	}
	return nil
}

// classify maps an error of the Bot API (https://core.telegram.org/api/errors). Its
// descriptions are the only way to tell some of them apart.
func classify(r response) *provider.SendError {
	e := &provider.SendError{Code: strconv.Itoa(r.ErrorCode), Detail: r.Description, Kind: provider.Permanent}
	description := strings.ToLower(r.Description)
	switch {
	case r.ErrorCode == http.StatusTooManyRequests:
		e.Kind, e.WholeChannel = provider.Retryable, true
		e.RetryAfter = time.Duration(r.Parameters.RetryAfter) * time.Second
	case r.ErrorCode == http.StatusUnauthorized, r.ErrorCode == http.StatusNotFound:
		e.Kind = provider.Credentials
	case r.ErrorCode == http.StatusForbidden, unreachable(description):
		e.Kind = provider.Blocked
	case r.ErrorCode >= http.StatusInternalServerError:
		e.Kind = provider.Retryable
	}
	return e
}

func unreachable(description string) bool {
	for _, text := range []string{"chat not found", "user is deactivated", "peer_id_invalid"} {
		if strings.Contains(description, text) {
			return true
		}
	}
	return false
}
