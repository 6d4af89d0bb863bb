package docs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/spec"
)

// document is the OpenAPI document with its properties in their original order. The spec
// package does not preserve the order because the server does not need it.
type document struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags       []tag
	RateLimits json.RawMessage `json:"x-rate-limits"`
	Paths      map[string]map[string]*operation
	Webhooks   json.RawMessage
	Components struct {
		Schemas         map[string]*schema
		Parameters      map[string]*parameter
		Responses       map[string]*response
		Headers         map[string]*header
		SecuritySchemes map[string]struct{ Description, BearerFormat string }
	}
}

type tag struct{ Name, Description string }

type operation struct {
	OperationID  string
	Tags         []string
	Summary      string
	Description  string
	Parameters   []*parameter
	RequestBody  *body
	Responses    json.RawMessage
	RequireScope string `json:"x-required-scope"`
	RateLimit    string `json:"x-rate-limit"`
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name, In    string
	Required    bool
	Description string
	Schema      *schema
	Example     any
}

type body struct {
	Description string
	Content     json.RawMessage
}

type media struct {
	Schema   *schema
	Examples json.RawMessage
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]*header
	Content     map[string]media
}

type header struct {
	Ref         string `json:"$ref"`
	Description string
	Schema      *schema
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 json.RawMessage
	Format, Description  string
	Pattern              string
	Enum                 []any
	Const, Default       any
	Minimum, Maximum     *json.Number
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	MinProperties        *int
	MaxProperties        *int
	Required             []string
	Properties           json.RawMessage
	AdditionalProperties json.RawMessage
	Items                *schema
	OneOf, AllOf         []*schema
	ErrorCodes           json.RawMessage `json:"x-error-codes"`
	ScopeDescriptions    json.RawMessage `json:"x-scope-descriptions"`
}

func read(raw []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(raw, d); err != nil { //nolint:musttag // fields match the names of OpenAPI case-insensitively
		return nil, fmt.Errorf("read document: %w", err)
	}
	// The client of the widget's operations is the widget itself.
	d.Tags = slices.DeleteFunc(d.Tags, func(t tag) bool { return t.Name == spec.WidgetTag || !d.hasOperations(t.Name) })
	return d, nil
}

// hasOperations is false for tags that only webhooks use.
func (d *document) hasOperations(tagName string) bool {
	for _, path := range d.Paths {
		for _, o := range path {
			if slices.Contains(o.Tags, tagName) {
				return true
			}
		}
	}
	return false
}

func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func (d *document) schema(s *schema) *schema {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[last(s.Ref)]
	}
	return s
}

func (d *document) parameter(p *parameter) *parameter {
	if p.Ref != "" {
		return d.Components.Parameters[last(p.Ref)]
	}
	return p
}

func (d *document) response(r *response) *response {
	if r.Ref != "" {
		return d.Components.Responses[last(r.Ref)]
	}
	return r
}

func (d *document) header(h *header) *header {
	if h.Ref != "" {
		return d.Components.Headers[last(h.Ref)]
	}
	return h
}

// ordered decodes the properties of a JSON object and preserves their order.
func ordered[T any](object json.RawMessage) (names []string, values []*T, err error) {
	properties, err := spec.ParseObject(object)
	if err != nil {
		return nil, nil, err
	}
	for _, property := range properties {
		value := new(T)
		if err := json.Unmarshal(property.Value, value); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", property.Name, err)
		}
		names, values = append(names, property.Name), append(values, value)
	}
	return names, values, nil
}

// example returns the value of the first example, indented.
func example(examples json.RawMessage) (string, error) {
	_, all, err := ordered[struct{ Value json.RawMessage }](examples)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return indent(all[0].Value)
}
