package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1, which is not broken
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	twilioAccount = "AC0123456789abcdef0123456789abcdef"
	twilioToken   = "simulated-auth-token-0123456789" //nolint:gosec // accepted by the simulators alone
	twilioNumber  = "+15005550006"
	twilioPrefix  = "/2010-04-01/Accounts/" + twilioAccount
)

// twilioRequest is a request to a hook with these parameters.
func twilioRequest(hook string, form url.Values) Request {
	return twilioSigned(hook, []byte(form.Encode()))
}

// twilioSigned signs the URL of a hook with the parameters in a body.
func twilioSigned(hook string, body []byte) Request {
	form, _ := url.ParseQuery(string(body)) // what cannot be read is not signed
	mac := hmac.New(sha1.New, []byte(twilioToken))
	mac.Write([]byte(hook))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			mac.Write([]byte(name + value))
		}
	}
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}}
}

// twilioCall reads a call of the API: its path in the account, and its parameters. It
// responds itself to those that all channel types use.
func twilioCall(w http.ResponseWriter, r *http.Request) (path string, form url.Values, ok bool) {
	user, password, _ := r.BasicAuth()
	path, found := strings.CutPrefix(r.URL.Path, twilioPrefix)
	switch {
	case user != twilioAccount || password != twilioToken:
		Write(w, twilioError(http.StatusUnauthorized, 20003, "Authenticate"))
		return "", nil, false
	case !found:
		Write(w, twilioError(http.StatusNotFound, 20404, "The requested resource was not found"))
		return "", nil, false
	case path == ".json":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"sid": twilioAccount, "friendly_name": "Simulated", "status": "active"}})
		return "", nil, false
	case path == "/IncomingPhoneNumbers.json":
		Write(w, Response{Status: http.StatusOK, Body: map[string]any{"incoming_phone_numbers": []any{}}})
		return "", nil, false
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxUpload))
	if err == nil {
		form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		Write(w, twilioError(http.StatusBadRequest, 20001, "Malformed parameters"))
		return "", nil, false
	}
	return path, form, true
}

func twilioError(status, code int, message string) Response {
	return Response{Status: status, Body: map[string]any{"code": code, "message": message, "more_info": "https://www.twilio.com/docs/errors", "status": status}}
}

func twilioFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		return twilioError(http.StatusTooManyRequests, 20429, "Too Many Requests")
	case Revoked:
		return twilioError(http.StatusUnauthorized, 20003, "Authenticate")
	case OptedOut:
		return twilioError(http.StatusBadRequest, 21610, "Attempt to send to unsubscribed recipient")
	case Refuse, WindowClosed:
		return twilioError(http.StatusBadRequest, 21612, "The 'To' phone number is not currently reachable")
	}
	return twilioError(http.StatusServiceUnavailable, 20503, "Service Unavailable")
}

// twilioSID returns a SID: a prefix and 32 hexadecimal digits that end with those of a number.
func twilioSID(prefix, number string) string {
	const length = 32
	return prefix + strings.Repeat("0", max(0, length-len(number))) + number
}

// Sign implements Simulator. Requests are not dated.
func (*SMS) Sign(hook string, _ time.Time, body []byte) Request { return twilioSigned(hook, body) }

// Sign implements Simulator. Requests are not dated.
func (*Voice) Sign(hook string, _ time.Time, body []byte) Request { return twilioSigned(hook, body) }
