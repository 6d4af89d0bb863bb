// Postman generates a Postman collection (format 2.1) from the OpenAPI document on
// standard input and writes it to standard output.
//
//	go run ./scripts/postman <openapi/openapi.json >openapi/postman.json
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/internal/api/chain"
	"github.com/avelto/convo/internal/api/spec"
)

const (
	format      = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
	hostedBase  = "https://api.avelto.pl/api/v1"
	indentation = "  "
	uploadBody  = "# Handbook\n\nShoes can be returned within 30 days.\n"
)

type collection struct {
	Info     info       `json:"info"`
	Auth     *auth      `json:"auth"`
	Variable []variable `json:"variable"`
	Event    []event    `json:"event"`
	Item     []folder   `json:"item"`
}

type info struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Version     string `json:"version"`
	Schema      string `json:"schema"`
}

type auth struct {
	Type   string     `json:"type"`
	Bearer []variable `json:"bearer,omitempty"`
}

type variable struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
	Disabled    bool   `json:"disabled,omitempty"`
}

type folder struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Item        []item `json:"item"`
}

type item struct {
	Name    string  `json:"name"`
	Request request `json:"request"`
	Event   []event `json:"event"`
}

type request struct {
	Auth        *auth      `json:"auth,omitempty"`
	Method      string     `json:"method"`
	Description string     `json:"description"`
	Header      []variable `json:"header"`
	Body        *body      `json:"body,omitempty"`
	URL         address    `json:"url"`
}

type body struct {
	Mode    string  `json:"mode"`
	Raw     string  `json:"raw"`
	Options options `json:"options"`
}

type options struct {
	Raw struct {
		Language string `json:"language"`
	} `json:"raw"`
}

type address struct {
	Raw      string     `json:"raw"`
	Host     []string   `json:"host"`
	Path     []string   `json:"path"`
	Query    []variable `json:"query,omitempty"`
	Variable []variable `json:"variable,omitempty"`
}

type event struct {
	Listen string `json:"listen"`
	Script script `json:"script"`
}

type script struct {
	Type string   `json:"type"`
	Exec []string `json:"exec"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "postman:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	raw, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	document, err := spec.Load(raw)
	if err != nil {
		return err
	}
	made, err := derive(document)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indentation)
	return encoder.Encode(made)
}

func derive(document *spec.Document) (collection, error) {
	about := document.OpenAPI.Info
	c := collection{
		Info: info{Name: about.Title, Description: about.Description, Version: about.Version, Schema: format},
		Auth: &auth{Type: "bearer", Bearer: []variable{{Key: "token", Value: "{{apiToken}}", Type: "string"}}},
		Variable: []variable{
			{Key: "baseUrl", Value: hostedBase, Type: "string", Description: "Base URL of the API, without a trailing slash."},
			{Key: "apiToken", Value: "", Type: "string", Description: "An API token: convo_ and 32 hexadecimal digits."},
		},
	}
	var err error
	if c.Event, err = prepare(); err != nil {
		return collection{}, err
	}
	examples, err := document.Examples()
	if err != nil {
		return collection{}, err
	}
	for _, tag := range document.OpenAPI.Tags {
		one := folder{Name: tag.Name, Description: tag.Description}
		for _, operation := range document.Operations {
			if !slices.Contains(operation.Definition.Tags, tag.Name) {
				continue
			}
			made, err := requestItem(operation, examples[operation.ID])
			if err != nil {
				return collection{}, err
			}
			one.Item = append(one.Item, made)
		}
		if len(one.Item) == 0 {
			continue // a tag of webhooks
		}
		// Deletions come last, so that a folder can be run from top to bottom.
		slices.SortStableFunc(one.Item, func(a, b item) int { return rank(a) - rank(b) })
		c.Item = append(c.Item, one)
	}
	return c, nil
}

func rank(i item) int {
	if i.Request.Method == http.MethodDelete {
		return 1
	}
	return 0
}

func requestItem(operation *spec.Operation, example spec.Example) (item, error) {
	r := request{
		Method: operation.Method, Description: operation.Definition.Description,
		Header: []variable{{Key: "Accept", Value: "application/json"}}, URL: target(operation, example),
	}
	if operation.Public {
		r.Auth = &auth{Type: "noauth"}
	}
	for _, header := range example.Header {
		r.Header = append(r.Header, variable{Key: header.Name, Value: header.Value})
	}
	if operation.Idempotent {
		r.Header = append(r.Header, variable{Key: "Idempotency-Key", Value: "{{$guid}}", Description: "Runs the request at most once, even if it is sent repeatedly.", Disabled: true})
	}
	var err error
	if r.Body, err = requestBody(operation, example, &r); err != nil {
		return item{}, err
	}
	return item{Name: operation.Definition.Summary, Request: r, Event: []event{check(operation)}}, nil
}

// requestBody replaces files with text, so that the collection runs without a file.
func requestBody(operation *spec.Operation, example spec.Example, r *request) (*body, error) {
	if example.ContentType == "" {
		return nil, nil //nolint:nilnil // no body is not an error
	}
	b := &body{Mode: "raw"}
	if example.File != "" {
		b.Raw, b.Options.Raw.Language, example.ContentType = uploadBody, "text", "text/markdown"
		for i := range r.Header {
			r.Header[i].Value = strings.Replace(r.Header[i].Value, ".pdf", ".md", 1)
		}
	} else {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, chain.Body(example.Body), "", indentation); err != nil {
			return nil, fmt.Errorf("example: %w", err)
		}
		b.Raw, b.Options.Raw.Language = pretty.String(), "json"
		if operation.ID == "createTag" { // names of tags are unique, and the collection can run again
			b.Raw = strings.Replace(b.Raw, `"newsletter"`, `"newsletter {{$guid}}"`, 1)
		}
	}
	r.Header = append(r.Header, variable{Key: "Content-Type", Value: example.ContentType})
	return b, nil
}

func target(operation *spec.Operation, example spec.Example) address {
	path := strings.NewReplacer("{", ":", "}", "").Replace(operation.Path)
	a := address{Host: []string{"{{baseUrl}}"}, Path: strings.Split(strings.TrimPrefix(path, "/"), "/")}
	given := map[string]string{}
	for _, q := range example.Query {
		given[q.Name] = q.Value
	}
	var query []string
	for _, p := range operation.Parameters {
		value, ok := given[p.Name]
		switch p.In {
		case "query":
			a.Query = append(a.Query, variable{Key: p.Name, Value: value, Description: p.Description, Disabled: !ok})
			if ok {
				query = append(query, p.Name+"="+value)
			}
		case "path":
			a.Variable = append(a.Variable, variable{Key: p.Name, Value: pathValue(operation, p), Description: p.Description})
		}
	}
	a.Raw = "{{baseUrl}}" + path
	if len(query) > 0 {
		a.Raw += "?" + strings.Join(query, "&")
	}
	return a
}

// pathValue returns the variable of a path parameter, or its example.
func pathValue(operation *spec.Operation, p *openapi3.Parameter) string {
	if name := chain.Parameter(operation, p.Name); name != "" {
		return "{{" + name + "}}"
	}
	return fmt.Sprint(p.Example)
}
