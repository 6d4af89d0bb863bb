// Package remote calls the API of a running server, for commands.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/api/spec"
)

// timeout bounds a request: an agent's preview takes up to 90 seconds.
const timeout = 2 * time.Minute

// Server is a server, called with an API token. It is safe for concurrent use.
type Server struct {
	origin, token string
	client        http.Client
}

// New returns a server by its URL, which may end with the base path of the API.
func New(url, token string) *Server {
	origin := strings.TrimSuffix(strings.TrimSuffix(url, "/"), spec.BasePath)
	return &Server{origin: origin, token: token, client: http.Client{Timeout: timeout}}
}

// StatusError is a response with another status than the expected one.
type StatusError struct {
	text       string
	Status     int
	RetryAfter time.Duration // 0 if the server did not say
}

// Error implements error.
func (e *StatusError) Error() string { return e.text }

// Send sends a request and returns the response, which must have the given status, else the
// error is a StatusError. in is sent as JSON; nil for no body.
func (s *Server) Send(ctx context.Context, method, path string, in any, status int) (http.Header, []byte, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, nil, fmt.Errorf("request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.origin+spec.BasePath+path, body)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("send request: %w", err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("send request: %w", err)
	}
	if response.StatusCode != status {
		return nil, nil, newStatusError(response, raw)
	}
	return response.Header, raw, nil
}

func newStatusError(response *http.Response, body []byte) error {
	e := &StatusError{text: "the server returned " + response.Status, Status: response.StatusCode}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	var problem api.Problem
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		e.text += ": " + problem.Detail
		if problem.Errors != nil {
			for _, field := range *problem.Errors {
				e.text += " " + field.Location + " " + field.Message + "."
			}
		}
	}
	return e
}
