// Package meta has what the channel types of Meta's Graph API share: the handshake and the
// signature of their hooks, and calls with their errors.
package meta

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Credentials of a channel.
const (
	AppSecret   = "appSecret"
	VerifyToken = "verifyToken"
)

// service names the provider in errors.
const service httpcall.Service = "Meta"

const (
	defaultBaseURL = "https://graph.facebook.com"
	// defaultVersion is the version of the API that this was tested with.
	defaultVersion  = "v23.0"
	signatureHeader = "X-Hub-Signature-256"
	maxChallenge    = 200
)

// Verify checks a request to a hook. For Meta's handshake it returns the reply.
func Verify(c provider.Channel, r provider.Request) (*provider.Reply, error) {
	if r.Method == http.MethodGet {
		return handshake(c, r)
	}
	given, err := hex.DecodeString(strings.TrimPrefix(r.Header.Get(signatureHeader), "sha256="))
	secret := c.Credentials[AppSecret]
	if err != nil || secret == "" {
		return nil, provider.ErrUnauthenticated
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(r.Body)
	if !hmac.Equal(mac.Sum(nil), given) {
		return nil, provider.ErrUnauthenticated
	}
	return nil, nil //nolint:nilnil // there is no reply but an empty one
}

func handshake(c provider.Channel, r provider.Request) (*provider.Reply, error) {
	token, challenge := c.Credentials[VerifyToken], r.Query.Get("hub.challenge")
	matches := subtle.ConstantTimeCompare([]byte(r.Query.Get("hub.verify_token")), []byte(token)) == 1
	if token == "" || !matches || r.Query.Get("hub.mode") != "subscribe" || len(challenge) > maxChallenge {
		return nil, provider.ErrUnauthenticated
	}
	return &provider.Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(challenge)}, nil
}

// Each decodes entries one by one, and adds the items that they contain: one that cannot be
// read does not affect the others.
func Each[Entry any](entries []json.RawMessage, received *provider.Received, item func(Entry) (provider.Item, bool)) {
	for _, raw := range entries {
		var entry Entry
		if err := json.Unmarshal(raw, &entry); err != nil {
			received.Malformed = append(received.Malformed, err.Error())
		} else if found, ok := item(entry); ok {
			received.Items = append(received.Items, found)
		}
	}
}

// Graph calls the Graph API. Kind returns the kind of an error that the codes of a channel
// type tell, and false for another.
type Graph struct {
	Client *apiclient.Client
	Kind   func(code, subcode int) (provider.Kind, bool)
}

// Failure is an error of the Graph API.
type Failure struct {
	Message string `json:"message"`
	Title   string `json:"title"` // in delivery reports
	Code    int    `json:"code"`
	Subcode int    `json:"error_subcode"`
	Data    struct {
		Details string `json:"details"`
	} `json:"error_data"`
}

// Call is a call of the Graph API. Path follows the version. Body may be nil.
type Call struct {
	Method, Path, ContentType string
	Header                    http.Header
	Body                      []byte
	// Safe says that the call changes nothing: it can be made again.
	Safe bool
}

// Do makes a call and decodes its result. It fails with *provider.SendError.
func (g Graph) Do(ctx context.Context, c provider.Channel, call Call, result any) error {
	header := call.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if call.ContentType != "" {
		header.Set("Content-Type", call.ContentType)
	}
	response, err := g.Client.Do(ctx, apiclient.Request{Method: call.Method, URL: Base(c) + "/" + Version(c.Config) + call.Path, Header: header, Body: call.Body})
	if err != nil {
		failed := service.NoResponse(c, err)
		failed.Ambiguous = failed.Ambiguous && !call.Safe
		return failed
	}
	return g.parse(response, call.Safe, result)
}

func (g Graph) parse(response apiclient.Response, safe bool, result any) error {
	var parsed struct {
		Error *Failure `json:"error"`
	}
	err := json.Unmarshal(response.Body, &parsed)
	switch success := response.Status < http.StatusMultipleChoices; {
	case err == nil && parsed.Error != nil:
		return g.Explain(*parsed.Error, response.Status)
	case !success:
		return g.Explain(Failure{Message: http.StatusText(response.Status)}, response.Status)
	case err == nil:
		err = json.Unmarshal(response.Body, result)
	}
	if err != nil {
		return &provider.SendError{
			Kind: provider.Retryable, Code: strconv.Itoa(response.Status), Detail: "Meta's response cannot be read.", Ambiguous: !safe, Cause: err,
		}
	}
	return nil
}

// Codes of the Graph API (https://developers.facebook.com/docs/graph-api/guides/error-handling).
const (
	unknownError, serviceError, tooManyCalls, permissionDenied        = 1, 2, 4, 10
	invalidToken, firstPermission, lastPermission, customRateExceeded = 190, 200, 299, 613
)

// Explain maps an error. The status of a delivery report is 0.
func (g Graph) Explain(f Failure, status int) *provider.SendError {
	e := &provider.SendError{Kind: provider.Permanent, Code: strconv.Itoa(f.Code), Detail: detail(f)}
	if f.Code == 0 {
		e.Code = strconv.Itoa(status)
	} else if f.Subcode != 0 {
		e.Code += "/" + strconv.Itoa(f.Subcode)
	}
	if kind, ok := g.Kind(f.Code, f.Subcode); ok {
		e.Kind = kind
		return e
	}
	switch {
	case f.Code == tooManyCalls, f.Code == customRateExceeded, status == http.StatusTooManyRequests:
		e.Kind = provider.Retryable
	case f.Code == unknownError, f.Code == serviceError:
		e.Kind = provider.Retryable
	case f.Code == invalidToken, f.Code == permissionDenied, f.Code >= firstPermission && f.Code <= lastPermission, status == http.StatusUnauthorized:
		e.Kind = provider.Credentials
	case status >= http.StatusInternalServerError:
		e.Kind, e.Ambiguous = provider.Retryable, status == http.StatusGatewayTimeout
	}
	return e
}

func detail(f Failure) string {
	text := f.Message
	if text == "" {
		text = f.Title
	}
	if f.Data.Details != "" {
		text += " " + f.Data.Details
	}
	return strings.TrimSpace(text)
}

// Base is the URL of a channel's API.
func Base(c provider.Channel) string { return httpcall.BaseURL(c, defaultBaseURL) }

// Version is the version of the API that a channel's config names.
func Version(config json.RawMessage) string {
	var parsed struct {
		Version string `json:"apiVersion"`
	}
	if json.Unmarshal(config, &parsed) == nil && parsed.Version != "" {
		return parsed.Version
	}
	return defaultVersion
}

// JSON encodes the body of a call, which is made of maps and texts.
func JSON(body any) []byte {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return encoded
}
