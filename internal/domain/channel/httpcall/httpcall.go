// Package httpcall holds what the channel types share that call an HTTP API of their provider.
package httpcall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Service is the name of a provider, for errors.
type Service string

// BaseURL returns where the API of a channel is: where the channel says, else at the provider's
// own URL.
func BaseURL(c provider.Channel, own string) string { return cmp.Or(c.APIBaseURL, own) }

// NoResponse is the error of a call without a complete response.
func (s Service) NoResponse(c provider.Channel, err error) *provider.SendError {
	failed, ok := errors.AsType[*apiclient.Error](err)
	return &provider.SendError{
		Kind: provider.Retryable, Detail: string(s) + " did not respond.", Ambiguous: ok && failed.Sent,
		Cause: fmt.Errorf("%s: %s", strings.ToLower(string(s)), provider.Redact(c, err.Error())),
	}
}

// Unreadable is the error of a response that does not say whether the call succeeded.
func (s Service) Unreadable(cause error) *provider.SendError {
	return &provider.SendError{Kind: provider.Retryable, Detail: string(s) + "'s response cannot be read.", Ambiguous: true, Cause: cause}
}

// Download opens the file at a URL.
func (s Service) Download(ctx context.Context, client *apiclient.Client, c provider.Channel, from string, header http.Header) (provider.File, *provider.SendError) {
	response, err := client.Open(ctx, apiclient.Request{Method: http.MethodGet, URL: from, Header: header})
	if err != nil {
		return provider.File{}, s.NoResponse(c, err)
	}
	return s.File(response)
}

// File returns the file of a response. If there is none, the code of the error is the status of
// the response; the error is permanent if there will be none.
func (s Service) File(response *http.Response) (provider.File, *provider.SendError) {
	if response.StatusCode == http.StatusOK {
		return provider.File{ReadCloser: response.Body, ContentType: response.Header.Get("Content-Type"), SizeBytes: response.ContentLength}, nil
	}
	_ = response.Body.Close()
	failed := &provider.SendError{
		Kind: provider.Retryable, Code: strconv.Itoa(response.StatusCode), Detail: fmt.Sprintf("%s responded %d to the download.", s, response.StatusCode),
	}
	if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
		failed.Kind = provider.Permanent
	}
	return provider.File{}, failed
}

// RetryAfter returns the longest wait that a response asks for in some headers, in seconds.
func RetryAfter(from apiclient.Response, headers ...string) (wait time.Duration) {
	for _, name := range headers {
		if value, err := strconv.ParseFloat(from.Header.Get(name), 64); err == nil {
			wait = max(wait, Seconds(value))
		}
	}
	return wait
}

// Seconds returns a number of seconds, at most a day.
func Seconds(value float64) time.Duration {
	const day = 24 * 60 * 60
	if !(value > 0) { // also NaN
		return 0
	}
	return time.Duration(min(value, day) * float64(time.Second))
}
