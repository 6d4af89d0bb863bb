package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// Secrets of the simulated apps of Meta.
const (
	metaToken  = "simulated-access-token"
	metaSecret = "simulated-app-secret-0123" //nolint:gosec // accepted by the simulator alone
	metaVerify = "simulated-verify-token"
)

// metaSigned is a request to a hook with Meta's signature.
func metaSigned(hook string, body []byte) Request {
	mac := hmac.New(sha256.New, []byte(metaSecret))
	mac.Write(body)
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}}
}

// metaPath splits the path of a call into the object and what is wanted of it.
func metaPath(r *http.Request) (object, edge string) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	const versionAndObject = 2
	if len(parts) < versionAndObject {
		return "", ""
	}
	return parts[1], strings.Join(parts[2:], "/")
}

// metaError is an error of the Graph API.
func metaError(status, code, subcode int, message string) Response {
	failed := map[string]any{"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "simulated"}
	if subcode != 0 {
		failed["error_subcode"] = subcode
	}
	return Response{Status: status, Body: map[string]any{"error": failed}}
}

// metaUnauthorized is the response to a token that is not known.
func metaUnauthorized() Response {
	const invalidToken = 190
	return metaError(http.StatusUnauthorized, invalidToken, 0, "Invalid OAuth access token.")
}

// metaUnknown is the response to a call that is not simulated.
func metaUnknown() Response {
	return metaError(http.StatusBadRequest, 100, 33, "Unsupported request.") //nolint:mnd // the code and its subcode
}

func decode(r *http.Request, into any) error {
	return json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(into) //nolint:wrapcheck // the caller knows what it is about
}

func unix(at, otherwise time.Time) time.Time {
	if at.IsZero() {
		return otherwise
	}
	return at
}
