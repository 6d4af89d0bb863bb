package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Example is a request to an operation, made of the document's own examples.
type Example struct {
	Path        string // below the base path, ids filled in
	Query       []NameValue
	Header      []NameValue
	ContentType string          // of the body; empty if there is none
	Body        json.RawMessage // nil if there is none or it is a file
	File        string          // name of the file that is the body
}

// NameValue is a parameter of a request.
type NameValue struct{ Name, Value string }

const jsonType = "application/json"

// Examples returns a valid request for each operation, by operation id.
func (d *Document) Examples() (map[string]Example, error) {
	var raw struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Examples json.RawMessage `json:"examples"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(d.JSON, &raw); err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	all := make(map[string]Example, len(d.Operations))
	for _, o := range d.Operations {
		bodies := raw.Paths[o.Path][strings.ToLower(o.Method)].RequestBody.Content[jsonType].Examples
		example, err := o.example(bodies)
		if err != nil {
			return nil, fmt.Errorf("example of %s: %w", o.ID, err)
		}
		all[o.ID] = example
	}
	return all, nil
}

// example returns the operation's example. The properties of its body keep the order of
// the document.
func (o *Operation) example(bodies json.RawMessage) (Example, error) {
	e := Example{Path: o.Path}
	for _, p := range o.Parameters {
		if p.Example == nil || p.Name == "Idempotency-Key" {
			continue
		}
		value := fmt.Sprint(p.Example)
		switch p.In {
		case openapi3.ParameterInPath:
			e.Path = strings.ReplaceAll(e.Path, "{"+p.Name+"}", url.PathEscape(value))
		case openapi3.ParameterInQuery:
			e.Query = append(e.Query, NameValue{p.Name, value})
		case openapi3.ParameterInHeader:
			e.Header = append(e.Header, NameValue{p.Name, value})
		}
	}
	switch {
	case strings.Contains(e.Path, "{"):
		return Example{}, errors.New("a path parameter has none")
	case o.Body == nil:
		return e, nil
	case o.Body.Content.Get(jsonType) == nil:
		return o.fileExample(e)
	}
	properties, err := ParseObject(bodies)
	if err != nil {
		return Example{}, err
	}
	if len(properties) == 0 {
		return Example{}, errors.New("the body has none")
	}
	var first struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(properties[0].Value, &first); err != nil {
		return Example{}, fmt.Errorf("body: %w", err)
	}
	e.ContentType, e.Body = jsonType, first.Value
	return e, nil
}

// fileExample sends a file whose name is the example of a header.
func (o *Operation) fileExample(e Example) (Example, error) {
	if len(e.Header) != 1 {
		return Example{}, errors.New("no header names the file")
	}
	e.File, e.ContentType = e.Header[0].Value, "application/pdf"
	return e, nil
}

// Target returns path and query.
func (e Example) Target() string {
	if len(e.Query) == 0 {
		return e.Path
	}
	pairs := make([]string, len(e.Query))
	for i, p := range e.Query {
		pairs[i] = p.Name + "=" + url.QueryEscape(p.Value)
	}
	return e.Path + "?" + strings.Join(pairs, "&")
}
