package twilio

import (
	"context"
	"net/http"
	"net/url"
	"regexp"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

var numberSIDPattern = regexp.MustCompile(`^PN[0-9a-f]{32}$`)

// SetNumber changes the settings of one of the account's phone numbers, such as SmsUrl. It
// does nothing for other senders, such as short codes and names: their owner sets the URLs.
func SetNumber(ctx context.Context, client *apiclient.Client, c provider.Channel, number string, settings url.Values) error {
	if !Number.MatchString(number) {
		return nil
	}
	var found struct {
		Numbers []struct {
			SID string `json:"sid"`
		} `json:"incoming_phone_numbers"`
	}
	resource := "/IncomingPhoneNumbers.json?" + url.Values{"PhoneNumber": {number}}.Encode()
	err := call(ctx, client, c, apiclient.Request{Method: http.MethodGet, URL: resource}, &found)
	if err != nil || len(found.Numbers) == 0 || !numberSIDPattern.MatchString(found.Numbers[0].SID) {
		return err
	}
	return Post(ctx, client, c, "/IncomingPhoneNumbers/"+found.Numbers[0].SID+".json", settings, &struct{}{})
}
