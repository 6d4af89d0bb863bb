// Package wire is what the clients of model providers have in common: how they send requests,
// their limits, and what the errors of an HTTP API mean.
package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/avelto/convo/internal/domain/agent/model"
	"github.com/avelto/convo/internal/platform/apiclient"
)

const (
	// Timeout bounds a call.
	Timeout = 60 * time.Second
	// MaxResponse is the longest response that is read, in bytes.
	MaxResponse = 2 << 20
	// maxTokens bounds the numbers that a provider reports, which are untrusted.
	maxTokens = 10_000_000
)

// Settings are what a client needs.
type Settings struct {
	Client *apiclient.Client
	// BaseURL is empty for the provider's own API, and APIKey if it needs none.
	BaseURL, APIKey string
}

// Post sends a JSON body and decodes the response. It fails with *model.Error.
func Post(ctx context.Context, client *apiclient.Client, url string, header http.Header, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	response, err := open(ctx, client, url, header, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(limited(response.Body))
	if err != nil {
		return failure(ctx, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return Malformed()
	}
	return nil
}

// Events sends a JSON body, and calls each for the data of every event of the response, until
// the end of the stream. It fails with *model.Error, or as each does.
func Events(ctx context.Context, client *apiclient.Client, url string, header http.Header, body any, each func(data []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	response, err := open(ctx, client, url, header, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(limited(response.Body))
	lines.Buffer(nil, MaxResponse)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if data = strings.TrimSpace(data); !ok || data == "[DONE]" {
			continue
		}
		if err := each([]byte(data)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return failure(ctx, err)
	}
	return nil
}

// open sends a request and returns a successful response.
func open(ctx context.Context, client *apiclient.Client, url string, header http.Header, body any) (*http.Response, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	header.Set("Content-Type", "application/json")
	response, err := client.Open(ctx, apiclient.Request{Method: http.MethodPost, URL: url, Header: header, Body: raw})
	if err != nil {
		return nil, failure(ctx, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	refused, err := io.ReadAll(limited(response.Body))
	if err != nil {
		refused = nil // the status says enough
	}
	return nil, rejected(response.StatusCode, response.Header, refused)
}

// errTooLong means that a response is longer than MaxResponse.
var errTooLong = errors.New("wire: the response is too long")

// limited fails with errTooLong after MaxResponse bytes.
func limited(body io.Reader) io.Reader {
	return io.MultiReader(io.LimitReader(body, MaxResponse), tooLong{body})
}

// tooLong is a reader at whose place a response must have ended.
type tooLong struct{ rest io.Reader }

// Read implements io.Reader.
func (t tooLong) Read([]byte) (int, error) {
	n, err := io.ReadFull(t.rest, make([]byte, 1))
	if n > 0 {
		return 0, errTooLong
	}
	return 0, err
}

// Decode decodes the data of an event. It fails with *model.Error.
func Decode(data []byte, into any) error {
	if json.Unmarshal(data, into) != nil {
		return Malformed()
	}
	return nil
}

// Usage returns the tokens of a call, of which a provider may report anything.
func Usage(input, output int64) model.Usage {
	clamp := func(n int64) int { return int(min(max(n, 0), maxTokens)) }
	return model.Usage{InputTokens: clamp(input), OutputTokens: clamp(output)}
}
