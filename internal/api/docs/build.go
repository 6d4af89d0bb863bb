package docs

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/spec"
)

// endpoint describes an operation on its page.
type endpoint struct {
	ID, Method, Path       string
	Summary                string
	Description            template.HTML
	Scope                  string
	Public                 bool
	Parameters, Properties []property
	BodyTypes              []string
	BodyNote               template.HTML
	BodyExample            string
	Status                 string
	ResponseProperties     []property
	ResponseType           string
	ResponseExample        string
	ResponseNote           template.HTML
	Headers                []property
	Errors                 []statusLine
	Samples                []codeSample
	MaxBody                int64
	Variables              []string // of the samples
}

type statusLine struct {
	Status      string
	Description template.HTML
}

type limitClass struct {
	Requests      int
	WindowSeconds int
	Scope         string
	Description   string
}

type errorCode struct {
	Code        string
	Status      int
	Title       string
	Description template.HTML
}

type scope struct{ Name, Description string }

type event struct {
	Name, Summary string
	Description   template.HTML
	Scope         string
	Properties    []property
	Example       string
}

// builder creates the models of the pages from both representations of the document.
type builder struct {
	*document

	spec     *spec.Document
	examples map[string]spec.Example
	base     string // base URL of the samples
}

func (b *builder) endpoints(tagName string) ([]endpoint, error) {
	var all []endpoint
	for _, o := range b.spec.Operations {
		if !slices.Contains(o.Definition.Tags, tagName) {
			continue
		}
		one, err := b.endpoint(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.ID, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (b *builder) endpoint(o *spec.Operation) (e endpoint, err error) {
	def := b.Paths[o.Path][strings.ToLower(o.Method)]
	e = endpoint{ID: o.ID, Method: o.Method, Path: spec.BasePath + o.Path, Summary: def.Summary, Scope: string(o.Scope), Public: o.Public, MaxBody: o.MaxBody}
	if e.Description, err = markdown(def.Description); err != nil {
		return e, err
	}
	for _, ref := range def.Parameters {
		p := b.parameter(ref)
		one, err := b.property(p.Name, p.Schema, p.Required, depth)
		if err != nil {
			return e, err
		}
		if one.Description, err = markdown(p.Description); err != nil {
			return e, err
		}
		one.Type += " in the " + p.In
		e.Parameters = append(e.Parameters, one)
	}
	if err := b.requestBody(&e, def.RequestBody); err != nil {
		return e, err
	}
	if err := b.responses(&e, def.Responses); err != nil {
		return e, err
	}
	example := b.examples[o.ID]
	e.Variables = variables(o, example)
	e.Samples, err = codeSamples(b.base, o, example)
	return e, err
}

func (b *builder) requestBody(e *endpoint, def *body) error {
	if def == nil {
		return nil
	}
	types, contents, err := ordered[media](def.Content)
	if err != nil {
		return err
	}
	e.BodyTypes = types
	if e.BodyNote, err = markdown(def.Description); err != nil {
		return err
	}
	if e.Properties, err = b.properties(contents[0].Schema, depth); err != nil {
		return err
	}
	e.BodyExample, err = example(contents[0].Examples)
	return err
}

func (b *builder) responses(e *endpoint, defs json.RawMessage) error {
	statuses, all, err := ordered[response](defs)
	if err != nil {
		return err
	}
	for i, status := range statuses {
		one := b.response(all[i])
		text, err := markdown(one.Description)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(status, "2") {
			e.Errors = append(e.Errors, statusLine{status, text})
			continue
		}
		if err := b.success(e, status, text, one); err != nil {
			return err
		}
	}
	return nil
}

// success describes the 2xx response.
func (b *builder) success(e *endpoint, status string, text template.HTML, def *response) (err error) {
	e.Status, e.ResponseNote = status, text
	for _, name := range []string{"Location", "Link", "X-Next-Cursor", "X-Latest-Sequence", "ETag"} {
		if ref, ok := def.Headers[name]; ok {
			h := b.header(ref)
			description, err := markdown(h.Description)
			if err != nil {
				return err
			}
			e.Headers = append(e.Headers, property{Name: name, Description: description})
		}
	}
	content, ok := def.Content["application/json"]
	if !ok {
		return nil
	}
	e.ResponseType = b.typeName(content.Schema)
	if e.ResponseProperties, err = b.properties(content.Schema, depth); err != nil {
		return err
	}
	e.ResponseExample, err = example(content.Examples)
	return err
}

func (b *builder) codes() ([]errorCode, error) {
	names, values, err := ordered[struct {
		Status             int
		Title, Description string
	}](b.Components.Schemas["ErrorCode"].ErrorCodes)
	if err != nil {
		return nil, err
	}
	all := make([]errorCode, len(names))
	for i, name := range names {
		description, err := markdown(values[i].Description)
		if err != nil {
			return nil, err
		}
		all[i] = errorCode{Code: name, Status: values[i].Status, Title: values[i].Title, Description: description}
	}
	return all, nil
}

// raisedBy lists the operations that document a status.
func (b *builder) raisedBy(status int) []*spec.Operation {
	var all []*spec.Operation
	for _, o := range b.spec.Operations {
		if o.Definition.Responses.Status(status) != nil {
			all = append(all, o)
		}
	}
	return all
}

func (b *builder) scopes() ([]scope, error) {
	names, texts, err := ordered[string](b.Components.Schemas["Scope"].ScopeDescriptions)
	if err != nil {
		return nil, err
	}
	all := make([]scope, len(names))
	for i, name := range names {
		all[i] = scope{name, *texts[i]}
	}
	return all, nil
}

func (b *builder) events() ([]event, error) {
	names, items, err := ordered[struct{ Post operation }](b.Webhooks)
	if err != nil {
		return nil, err
	}
	all := make([]event, len(names))
	for i, name := range names {
		def := items[i].Post
		one := event{Name: name, Summary: def.Summary, Scope: def.RequireScope}
		if one.Description, err = markdown(def.Description); err != nil {
			return nil, err
		}
		_, contents, err := ordered[media](def.RequestBody.Content)
		if err != nil {
			return nil, err
		}
		if one.Properties, err = b.properties(contents[0].Schema, depth); err != nil {
			return nil, err
		}
		if one.Example, err = example(contents[0].Examples); err != nil {
			return nil, err
		}
		all[i] = one
	}
	return all, nil
}

// statusText returns the standard text of an HTTP status code.
func statusText(status int) string { return http.StatusText(status) }
