package validation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
)

// Body is a validated request body. The generated server binds the validated value by
// exact property names and does not decode the JSON again.
type Body struct {
	*bytes.Reader

	Raw   []byte
	value any
}

// ValidatedValue returns the decoded body.
func (b *Body) ValidatedValue() any { return b.value }

// Close implements io.Closer.
func (*Body) Close() error { return nil }

// MediaType checks the Content-Type of a request with a body. A Content-Encoding is
// rejected: bodies are not decompressed.
func (v *Validator) MediaType(r *http.Request) error {
	content := v.operation.Body.Content
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err == nil && content[media] != nil && r.Header.Get("Content-Encoding") == "" &&
		(media != "application/json" || charset == "" || charset == "utf-8") {
		return nil
	}
	taken := make([]string, 0, len(content))
	for name := range content {
		taken = append(taken, name)
	}
	slices.Sort(taken)
	return problem.New(api.ErrorCodeUnsupportedMediaType, "Send the body as %s, without a Content-Encoding.", strings.Join(taken, ", "))
}

// TakesJSON reports whether the operation has a JSON body.
func (v *Validator) TakesJSON() bool { return v.body != nil }

// ReadBody reads and validates a JSON body. It returns all validation errors, or an error
// if the body cannot be read or parsed. It returns nil if an optional body is absent.
func (v *Validator) ReadBody(r *http.Request) (*Body, []api.FieldError, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, ReadError(err)
	}
	if len(raw) == 0 && !v.operation.Body.Required {
		return nil, nil, nil
	}
	body := &Body{Reader: bytes.NewReader(raw), Raw: raw}
	if err := json.Unmarshal(raw, &body.value); err != nil {
		return nil, nil, jsonError(err)
	}
	if bytes.Contains(raw, []byte(`\u0000`)) && holdsNUL(body.value) {
		return nil, nil, problem.Malformed("The body must not contain NUL characters.")
	}
	if broken := v.checkBody(body.value); len(broken) > 0 {
		return nil, broken, nil
	}
	if mayHoldFloats(raw) {
		plain, err := json.Marshal(body.value)
		if err != nil {
			return nil, nil, problem.Malformed("The body is not valid JSON.").WithCause(err)
		}
		body.Reader = bytes.NewReader(plain)
	}
	return body, nil, nil
}

// mayHoldFloats reports whether a body may have a number with a fraction or an exponent. To
// JSON Schema 1.0 and 1e3 are integers (draft 2020-12, section 4.2.3), which encoding/json
// decodes only if they are written as 1 and 1000.
func mayHoldFloats(raw []byte) bool {
	for i := 1; i < len(raw); i++ {
		if (raw[i] == '.' || raw[i]|0x20 == 'e') && raw[i-1] >= '0' && raw[i-1] <= '9' {
			return true
		}
	}
	return false
}

func (v *Validator) checkBody(value any) []api.FieldError {
	schema, broken := variant(v.body, value)
	if len(broken) > 0 {
		return broken
	}
	if v.names {
		broken = propertyNameErrors("body", schema, value)
	}
	options := append([]openapi3.SchemaValidationOption{openapi3.MultiErrors()}, formats...)
	if err := schema.VisitJSON(value, options...); err != nil {
		broken = append(broken, schemaErrors("body", err)...)
	}
	return broken
}

// TooLarge returns the error for a body larger than limit, in bytes.
func TooLarge(limit int64) error {
	return problem.New(api.ErrorCodePayloadTooLarge, "The body must not exceed %d bytes.", limit)
}

// ReadError returns the error for a body that could not be read completely.
func ReadError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return TooLarge(tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return problem.New(api.ErrorCodeRequestTimeout, "The body was not received in time.").WithCause(err)
	}
	return problem.Malformed("The body could not be read completely.").WithCause(err)
}

func jsonError(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return problem.Malformed("The body contains an object with a duplicate property.").WithCause(err)
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return problem.Malformed("The body is not valid JSON. The error is at byte %d.", syntax.ByteOffset).WithCause(err)
	}
	return problem.Malformed("The body is not valid JSON.").WithCause(err)
}

func holdsNUL(value any) bool {
	switch value := value.(type) {
	case string:
		return strings.IndexByte(value, 0) >= 0
	case []any:
		return slices.ContainsFunc(value, holdsNUL)
	case map[string]any:
		for name, member := range value {
			if holdsNUL(name) || holdsNUL(member) {
				return true
			}
		}
	}
	return false
}
