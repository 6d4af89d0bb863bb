package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/internal/domain/idempotency"
)

// newFingerprint hashes a request's method, target, headers and body. A body that has not
// been read yet is hashed while the handler reads it; the returned function reads the rest
// of it.
func newFingerprint(r *http.Request, call *Call) func() ([]byte, error) {
	sum := sha256.New()
	parts := []string{r.Method, r.URL.Path, r.URL.RawQuery}
	for _, name := range fingerprinted(call.Operation) {
		parts = append(parts, name, headerValue(r.Header, name))
	}
	for _, part := range parts {
		sum.Write([]byte(part))
		sum.Write([]byte{0}) // in none of the parts
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

// unrelated are headers that the document lists and that do not change the outcome.
var unrelated = []string{keyHeader, "X-Request-Id", "Authorization"}

// fingerprinted returns the headers that change the outcome of an operation: those that
// the document lists, and the media type of its body.
func fingerprinted(o *spec.Operation) []string {
	names := []string{"Content-Type"}
	for _, parameter := range o.Parameters {
		name := http.CanonicalHeaderKey(parameter.Name)
		if parameter.In == openapi3.ParameterInHeader && !slices.Contains(unrelated, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// headerValue returns a header in one form: the case and spacing of a media type do not
// matter, nor the case of its charset.
func headerValue(header http.Header, name string) string {
	value := strings.TrimSpace(strings.Join(header.Values(name), ", "))
	if name != "Content-Type" {
		return value
	}
	media, parameters, err := mime.ParseMediaType(value)
	if err != nil {
		return value
	}
	if charset, ok := parameters["charset"]; ok {
		parameters["charset"] = strings.ToLower(charset)
	}
	return mime.FormatMediaType(media, parameters)
}

// replay sends a stored response, if the request is the one that it belongs to.
func replay(w http.ResponseWriter, stored *idempotency.Stored, fingerprint func() ([]byte, error)) error {
	sum, err := fingerprint()
	if err != nil {
		return err
	}
	if err := stored.Matches(sum); err != nil {
		return err
	}
	maps.Copy(w.Header(), stored.Header)
	w.Header().Set(replayHeader, "true")
	w.WriteHeader(stored.Status)
	_, err = w.Write(stored.Body)
	return err
}

// without returns a JSON object less some properties.
func without(body []byte, names []string) ([]byte, error) {
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(body, &properties); err != nil {
		return nil, fmt.Errorf("response with secrets: %w", err)
	}
	for _, name := range names {
		delete(properties, name)
	}
	return json.Marshal(properties)
}

// recorder is a response that stays in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
