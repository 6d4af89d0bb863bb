package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
)

func encode(t testing.TB, body any) io.Reader {
	t.Helper()
	switch body := body.(type) {
	case string:
		return strings.NewReader(body)
	case []byte:
		return bytes.NewReader(body)
	case io.Reader:
		return body
	}
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	return bytes.NewReader(raw)
}

// Want requires a status and returns the response.
func (r Response) Want(t testing.TB, status int) Response {
	t.Helper()
	require.Equal(t, status, r.Status, "body: %s", r.Body)
	return r
}

// Problem requires an error of a code and returns it.
func (r Response) Problem(t testing.TB, status int, code api.ErrorCode) api.Problem {
	t.Helper()
	r.Want(t, status)
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	problem := Decode[api.Problem](t, r)
	require.Equal(t, code, problem.Code, "body: %s", r.Body)
	require.Equal(t, int32(status), problem.Status)
	require.Equal(t, r.Header.Get("X-Request-Id"), problem.RequestID)
	return problem
}

// Decode reads the body as JSON.
func Decode[T any](t testing.TB, r Response) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal(r.Body, &value), "body: %s", r.Body)
	return value
}

// Get sends a GET.
func (s *Server) Get(t testing.TB, token, path string) Response {
	t.Helper()
	return s.Do(t, Request{Method: http.MethodGet, Path: path, Token: token})
}

// Post sends a POST.
func (s *Server) Post(t testing.TB, token, path string, body any) Response {
	t.Helper()
	return s.Do(t, Request{Method: http.MethodPost, Path: path, Token: token, Body: body})
}

// Patch sends a PATCH.
func (s *Server) Patch(t testing.TB, token, path string, body any) Response {
	t.Helper()
	return s.Do(t, Request{Method: http.MethodPatch, Path: path, Token: token, Body: body})
}

// Delete sends a DELETE.
func (s *Server) Delete(t testing.TB, token, path string) Response {
	t.Helper()
	return s.Do(t, Request{Method: http.MethodDelete, Path: path, Token: token})
}
