package middleware

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/internal/domain/idempotency"
)

const (
	keyHeader    = "Idempotency-Key"
	replayHeader = "Idempotent-Replayed"
)

// Idempotent does a request with an Idempotency-Key once. The handler's changes
// and the stored answer are one transaction: whatever process dies when, the same
// key later finds both or neither.
func Idempotent(store *idempotency.Store) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			call := CallFrom(r.Context())
			key := r.Header.Get(keyHeader)
			if call.Operation == nil || !call.Operation.Idempotent || key == "" {
				return next(c)
			}
			request := idempotency.Request{
				WorkspaceID: call.Principal.WorkspaceID, Key: key, Fingerprint: fingerprint(r, call),
			}
			stored, replayed, err := store.Do(r.Context(), request, func(ctx context.Context) (idempotency.Answer, error) {
				answer, err := record(ctx, c, next)
				if err == nil && len(call.Operation.ShownOnce) > 0 {
					answer.Stored, err = without(answer.Body, call.Operation.ShownOnce)
				}
				return answer, err
			})
			if err != nil {
				return err
			}
			return reply(c.Response(), stored, replayed)
		}
	}
}

// fingerprint tells requests apart: by method, target and body. A body that was not
// read yet is hashed while its handler reads it, and then to its end.
func fingerprint(r *http.Request, call *Call) func() ([]byte, error) {
	sum := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery} {
		sum.Write([]byte(part))
		sum.Write([]byte{0})
	}
	if call.body != nil || r.Body == nil {
		sum.Write(call.body)
		return func() ([]byte, error) { return sum.Sum(nil), nil }
	}
	body := hashed{Reader: io.TeeReader(r.Body, sum), Closer: r.Body}
	r.Body = body
	return func() ([]byte, error) {
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, validation.ReadError(err)
		}
		return sum.Sum(nil), nil
	}
}

type hashed struct {
	io.Reader
	io.Closer
}

// record runs the handler and keeps its answer from the client until the
// transaction is committed.
func record(ctx context.Context, c echo.Context, next echo.HandlerFunc) (idempotency.Answer, error) {
	request, response := c.Request(), c.Response()
	defer func() {
		c.SetRequest(request)
		c.SetResponse(response)
	}()
	recorder := &recorder{header: http.Header{}, status: http.StatusOK}
	c.SetRequest(request.WithContext(ctx))
	c.SetResponse(echo.NewResponse(recorder, c.Echo()))
	if err := next(c); err != nil {
		return idempotency.Answer{}, err
	}
	return idempotency.Answer{Status: recorder.status, Header: recorder.header, Body: recorder.body.Bytes()}, nil
}

// without returns a JSON object less some members.
func without(body []byte, names []string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, fmt.Errorf("answer with secrets: %w", err)
	}
	for _, name := range names {
		delete(members, name)
	}
	return json.Marshal(members)
}

func reply(w http.ResponseWriter, answer idempotency.Answer, replayed bool) error {
	maps.Copy(w.Header(), answer.Header)
	if replayed {
		w.Header().Set(replayHeader, "true")
	}
	w.WriteHeader(answer.Status)
	_, err := w.Write(answer.Body)
	return err
}

// recorder is a response that stays in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
