// Package twilio is what channels over Twilio have in common: the signature of its requests
// and the calls of its API (https://www.twilio.com/docs/usage).
package twilio

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1, which is not broken
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

const (
	// AuthToken is the credential that authenticates both sides.
	AuthToken = "authToken"

	// Service names Twilio in errors.
	Service httpcall.Service = "Twilio"

	defaultBaseURL  = "https://api.twilio.com"
	signatureHeader = "X-Twilio-Signature"
	resources       = "/2010-04-01/Accounts/"
)

var (
	accountPattern = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	// Number matches a phone number with its country code (E.164).
	Number = regexp.MustCompile(`^\+[1-9][0-9]{4,14}$`)
)

// Verify checks that a request is from Twilio, and returns its parameters. The signature
// covers the public URL that Twilio was given, not the one that arrived here: proxies change
// that. Query parameters must be in the order of url.Values.Encode. A request has no time: one
// that is sent again is recognized by the IDs in it.
func Verify(c provider.Channel, r provider.Request) (url.Values, error) {
	token := c.Credentials[AuthToken]
	form, err := url.ParseQuery(string(r.Body))
	if token == "" || err != nil {
		return nil, provider.ErrUnauthenticated
	}
	if !hmac.Equal([]byte(r.Header.Get(signatureHeader)), []byte(Sign(token, HookURL(c, r.Query), form))) {
		return nil, provider.ErrUnauthenticated
	}
	return form, nil
}

// VerifyConnection checks that a request that opens a WebSocket at a URL is from Twilio.
func VerifyConnection(c provider.Channel, r provider.Request, at string) error {
	token := c.Credentials[AuthToken]
	if token == "" || !hmac.Equal([]byte(r.Header.Get(signatureHeader)), []byte(Sign(token, at, nil))) {
		return provider.ErrUnauthenticated
	}
	return nil
}

// Sign returns the signature of a request with the parameters of form to a URL.
func Sign(token, signedURL string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(signedURL))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// HookURL returns the public URL of a channel's hook with a query, as Twilio is given it.
func HookURL(c provider.Channel, query url.Values) string {
	if len(query) == 0 {
		return c.HookURL
	}
	return c.HookURL + "?" + query.Encode()
}

// Reply returns a response with TwiML.
func Reply(twiml string) *provider.Reply {
	return &provider.Reply{Status: http.StatusOK, ContentType: "text/xml; charset=utf-8", Body: []byte(twiml)}
}

// Recipient returns the identity of a phone number, which may be written with spaces,
// hyphens, parentheses and dots, and false if it has no country code.
func Recipient(to string) (provider.Identity, bool) {
	number := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "\u00a0", "").Replace(to)
	if international, ok := strings.CutPrefix(number, "00"); ok {
		number = "+" + international
	}
	return Identity(number), Number.MatchString(number)
}

// Identity is how a channel knows who wrote or called: by the number.
func Identity(from string) provider.Identity {
	identity := provider.Identity{ExternalID: from}
	if Number.MatchString(from) {
		identity.Phone = from
	}
	return identity
}

// account is the SID of the account in the config of a channel.
func account(c provider.Channel) (string, error) {
	var config struct {
		SID string `json:"accountSid"`
	}
	if err := json.Unmarshal(c.Config, &config); err != nil || !accountPattern.MatchString(config.SID) {
		return "", &provider.SendError{Kind: provider.Credentials, Detail: "The channel has no SID of a Twilio account.", Cause: err}
	}
	return config.SID, nil
}

// Base is where the API of a channel is.
func Base(c provider.Channel) string { return httpcall.BaseURL(c, defaultBaseURL) }

// Authorization returns the header that authenticates a channel.
func Authorization(c provider.Channel) (http.Header, error) {
	sid, err := account(c)
	if err != nil {
		return nil, err
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(sid + ":" + c.Credentials[AuthToken]))
	return http.Header{"Authorization": {"Basic " + credentials}}, nil
}

// Post creates or changes a resource of the account, such as /Messages.json, and reads what
// Twilio responds into result. It fails with *provider.SendError.
func Post(ctx context.Context, client *apiclient.Client, c provider.Channel, resource string, form url.Values, result any) error {
	return call(ctx, client, c, apiclient.Request{Method: http.MethodPost, URL: resource, Body: []byte(form.Encode())}, result)
}

// Check returns the name of the account, which must be active.
func Check(ctx context.Context, client *apiclient.Client, c provider.Channel) (string, error) {
	var found struct {
		Name   string `json:"friendly_name"`
		Status string `json:"status"`
	}
	if err := call(ctx, client, c, apiclient.Request{Method: http.MethodGet, URL: ".json"}, &found); err != nil {
		return "", err
	}
	if found.Status != "" && found.Status != "active" {
		return "", &provider.SendError{Kind: provider.Credentials, Detail: "The Twilio account is " + found.Status + "."}
	}
	return found.Name, nil
}

func call(ctx context.Context, client *apiclient.Client, c provider.Channel, r apiclient.Request, result any) error {
	sid, err := account(c)
	if err != nil {
		return err
	}
	if r.Header, err = Authorization(c); err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.URL = Base(c) + resources + sid + r.URL
	response, err := client.Do(ctx, r)
	if err != nil {
		return Service.NoResponse(c, err)
	}
	if response.Status < http.StatusOK || response.Status >= http.StatusMultipleChoices {
		return classify(response)
	}
	if err := json.Unmarshal(response.Body, result); err != nil {
		return Service.Unreadable(fmt.Errorf("twilio: %w", err))
	}
	return nil
}
