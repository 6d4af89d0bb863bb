// Package spec reads the published document: the scope, rate limit class, body
// limit and other properties of each operation. None of them is repeated in Go.
package spec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/openapi"
)

// BasePath is where the document's paths begin on the server.
const BasePath = "/api/v1"

// DefaultMaxBody is the maximum size of a body in bytes, unless the document sets
// x-max-body-bytes.
const DefaultMaxBody = 1 << 20

// Operation holds what the document says about one operation.
type Operation struct {
	ID     string
	Method string
	Path   string // as in the document: /leads/{id}
	Public bool   // accepts requests without a token
	// Widget says that it belongs to the chat widget, whose visitors have sessions in
	// place of API tokens.
	Widget bool
	Scope  api.Scope
	// ScopeIfRequired is a scope that the operation needs only in workspaces whose
	// operator requires it.
	ScopeIfRequired api.Scope
	RateClass       string
	MaxBody         int64 // bytes; 0 if the operation accepts no body
	Body            *openapi3.RequestBody
	Parameters      []*openapi3.Parameter
	Idempotent      bool // accepts an Idempotency-Key
	ReadOnly        bool // changes nothing, even if its method is POST
	// Shadowed maps other operations' paths that this path's template also matches to
	// their methods: /conversations/bulk is not a conversation of /conversations/{id}.
	Shadowed   map[string]string
	SDKMethod  string   // resource and method of the SDKs: leads.list
	ShownOnce  []string // properties of the response that a replay leaves out
	Definition *openapi3.Operation
}

// Writes reports whether the operation changes anything.
func (o *Operation) Writes() bool { return o.Method != http.MethodGet && !o.ReadOnly }

// Route returns the method and path of the operation, as in "GET /leads/{id}".
func (o *Operation) Route() string { return o.Method + " " + o.Path }

// RateClass is a rate limit declared in the document.
type RateClass struct {
	ratelimit.Limit

	Name string
	// PerIP counts callers by address, PerSession by visitor; otherwise by workspace.
	PerIP, PerSession bool
}

// ErrorKind holds what the document says about an error code.
type ErrorKind struct {
	Status int
	Title  string
}

// Document is the published document.
type Document struct {
	JSON    []byte
	OpenAPI *openapi3.T
	// Operations are those for API tokens, and those without authentication.
	Operations []*Operation
	// Widget are the operations of the chat widget.
	Widget     []*Operation
	RateLimits map[string]RateClass
	Errors     map[api.ErrorCode]ErrorKind
	Scopes     []api.Scope // all that a token can carry
	// ScopeDescriptions say what each scope allows.
	ScopeDescriptions map[api.Scope]string
	// Events maps each event to the scope that reads its data, or to "" if it needs none.
	Events map[api.EventType]api.Scope
	all    []*Operation
	routes map[string]*Operation
}

// Published returns the document embedded in this build. It is parsed once.
var Published = sync.OnceValues(func() (*Document, error) { return Load(openapi.JSON) })

// Load reads a document. It fails if something that the server needs is missing.
func Load(raw []byte) (*Document, error) {
	parsed, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	// The linter and tests validate the examples. Doing it here would take most of the
	// time and memory of a start.
	if err := parsed.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	d := &Document{JSON: raw, OpenAPI: parsed, routes: map[string]*Operation{}}
	if err := errors.Join(d.readRateLimits(), d.readErrors(), d.readOperations(), d.readEvents()); err != nil {
		return nil, err
	}
	return d, d.readScopes()
}

// All returns all operations, in the order of the document.
func (d *Document) All() []*Operation { return d.all }

// Find returns the operation of a method and a path template as Echo writes it,
// base path included (/api/v1/leads/:id), or nil.
func (d *Document) Find(method, echoPath string) *Operation { return d.routes[method+" "+echoPath] }

func (d *Document) readOperations() error {
	paths, err := pathOrder(d.JSON)
	if err != nil {
		return err
	}
	for _, path := range paths {
		defined := d.OpenAPI.Paths.Value(path).Operations()
		for _, method := range methodOrder {
			if defined[method] == nil {
				continue
			}
			operation, err := d.operation(method, path, defined[method])
			if err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
			if d.all = append(d.all, operation); operation.Widget {
				d.Widget = append(d.Widget, operation)
			} else {
				d.Operations = append(d.Operations, operation)
			}
			d.routes[method+" "+echoPath(path)] = operation
		}
	}
	d.readShadowed()
	return nil
}

// readShadowed finds the paths without parameters that a path template also matches.
func (d *Document) readShadowed() {
	for _, o := range d.all {
		pattern := strings.Split(o.Path, "/")
		for _, other := range d.all {
			if strings.Contains(other.Path, "{") || !strings.Contains(o.Path, "{") || !matchesTemplate(pattern, strings.Split(other.Path, "/")) {
				continue
			}
			if o.Shadowed == nil {
				o.Shadowed = map[string]string{}
			}
			methods := o.Shadowed[BasePath+other.Path]
			if methods == "" {
				methods = http.MethodOptions
			}
			o.Shadowed[BasePath+other.Path] = methods + ", " + other.Method
		}
	}
}

func matchesTemplate(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, part := range pattern {
		if part != path[i] && !strings.HasPrefix(part, "{") {
			return false
		}
	}
	return true
}

// methodOrder is the order of a path's operations. The document uses no other methods.
var methodOrder = []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete}

// pathOrder returns the paths in the order of the document.
func pathOrder(raw []byte) ([]string, error) {
	var top struct {
		Paths json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(raw, &top); err != nil {
		return nil, fmt.Errorf("paths: %w", err)
	}
	properties, err := ParseObject(top.Paths)
	if err != nil {
		return nil, fmt.Errorf("paths: %w", err)
	}
	paths := make([]string, len(properties))
	for i, property := range properties {
		paths[i] = property.Name
	}
	return paths, nil
}

// Property is a property of a JSON object.
type Property struct {
	Name  string
	Value json.RawMessage
}

// ParseObject returns the properties of a JSON object in their original order, or none if
// object is empty.
func ParseObject(object json.RawMessage) ([]Property, error) {
	if len(object) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	var all []Property
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("property: %w", err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("property %v: %w", name, err)
		}
		all = append(all, Property{fmt.Sprint(name), value})
	}
	return all, nil
}

func (d *Document) operation(method, path string, def *openapi3.Operation) (*Operation, error) {
	o := &Operation{ID: def.OperationID, Method: method, Path: path, Definition: def, Widget: slices.Contains(def.Tags, WidgetTag)}
	o.RateClass, _ = def.Extensions["x-rate-limit"].(string)
	if _, ok := d.RateLimits[o.RateClass]; !ok {
		return nil, fmt.Errorf("x-rate-limit names no class: %q", o.RateClass)
	}
	o.ReadOnly, _ = def.Extensions["x-read-only"].(bool)
	o.SDKMethod, _ = def.Extensions["x-sdk-method"].(string)
	if o.SDKMethod == "" && !o.Widget {
		return nil, errors.New("x-sdk-method is missing")
	}
	for _, ref := range def.Parameters {
		if err := translate(ref.Value.Schema); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", ref.Value.Name, err)
		}
		o.Parameters = append(o.Parameters, ref.Value)
		o.Idempotent = o.Idempotent || ref.Value.Name == "Idempotency-Key"
	}
	if o.Idempotent != (method == http.MethodPost && !o.ReadOnly && !o.Widget) {
		return nil, errors.New("every POST that is not x-read-only or of the widget, and nothing else, accepts an Idempotency-Key")
	}
	if def.RequestBody != nil {
		o.Body, o.MaxBody = def.RequestBody.Value, DefaultMaxBody
		if size, ok := o.Body.Extensions["x-max-body-bytes"].(float64); ok {
			o.MaxBody = int64(size)
		}
		for _, media := range o.Body.Content {
			if err := translate(media.Schema); err != nil {
				return nil, fmt.Errorf("body: %w", err)
			}
		}
	}
	o.readShownOnce(def)
	return o, o.readSecurity(def)
}

// WidgetTag is the tag of the operations of the chat widget.
const WidgetTag = "Widget"

// Properties returns the properties of a schema, including those of its allOf.
func Properties(schema *openapi3.Schema) openapi3.Schemas {
	all := maps.Clone(schema.Properties)
	for _, part := range schema.AllOf {
		if all == nil {
			all = openapi3.Schemas{}
		}
		maps.Copy(all, Properties(part.Value))
	}
	return all
}

// readShownOnce finds the secrets in the responses.
func (o *Operation) readShownOnce(def *openapi3.Operation) {
	for _, response := range def.Responses.Map() {
		media := response.Value.Content.Get("application/json")
		if media == nil || media.Schema == nil {
			continue
		}
		for name, property := range Properties(media.Schema.Value) {
			if once, _ := property.Value.Extensions["x-shown-once"].(bool); once {
				o.ShownOnce = append(o.ShownOnce, name)
			}
		}
	}
	slices.Sort(o.ShownOnce)
}

func (o *Operation) readSecurity(def *openapi3.Operation) error {
	if def.Security == nil {
		return errors.New("security is not stated")
	}
	if len(*def.Security) == 0 {
		o.Public = true
		return nil
	}
	if o.Widget {
		if scopes, ok := (*def.Security)[0]["widgetToken"]; !ok || len(*def.Security) != 1 || len((*def.Security)[0]) != 1 || len(scopes) > 0 {
			return errors.New("security of the widget must be widgetToken")
		}
		return nil
	}
	scopes, ok := (*def.Security)[0]["bearerAuth"]
	if !ok || len(*def.Security) != 1 || len((*def.Security)[0]) != 1 || len(scopes) > 1 {
		return errors.New("security must be bearerAuth with at most one scope")
	}
	if len(scopes) == 1 {
		o.Scope = api.Scope(scopes[0])
	}
	required, _ := def.Extensions["x-scope-if-required"].(string)
	o.ScopeIfRequired = api.Scope(required)
	for _, scope := range []api.Scope{o.Scope, o.ScopeIfRequired} {
		if scope != "" && !scope.Valid() {
			return fmt.Errorf("unknown scope %q", scope)
		}
	}
	return nil
}

func (d *Document) readRateLimits() error {
	d.RateLimits = map[string]RateClass{}
	classes, _ := d.OpenAPI.Extensions["x-rate-limits"].(map[string]any)
	for name, value := range classes {
		class, _ := value.(map[string]any)
		requests, _ := class["requests"].(float64)
		seconds, _ := class["windowSeconds"].(float64)
		scope, _ := class["scope"].(string)
		if requests < 1 || seconds < 1 || !slices.Contains([]string{"ip", "workspace", "session"}, scope) {
			return fmt.Errorf("x-rate-limits: class %s is incomplete", name)
		}
		d.RateLimits[name] = RateClass{
			Limit: ratelimit.Limit{Requests: int(requests), Window: time.Duration(seconds) * time.Second},
			Name:  name, PerIP: scope == "ip", PerSession: scope == "session",
		}
	}
	for _, name := range []string{"default", "anonymous", "sign-in"} {
		if _, ok := d.RateLimits[name]; !ok {
			return fmt.Errorf("x-rate-limits: class %s is missing", name)
		}
	}
	return nil
}

func (d *Document) readErrors() error {
	d.Errors = map[api.ErrorCode]ErrorKind{}
	schema := d.OpenAPI.Components.Schemas["ErrorCode"].Value
	codes, _ := schema.Extensions["x-error-codes"].(map[string]any)
	for _, value := range schema.Enum {
		code, _ := value.(string)
		about, _ := codes[code].(map[string]any)
		status, _ := about["status"].(float64)
		title, _ := about["title"].(string)
		if status < http.StatusBadRequest || title == "" {
			return fmt.Errorf("x-error-codes: %s is incomplete", code)
		}
		d.Errors[api.ErrorCode(code)] = ErrorKind{Status: int(status), Title: title}
	}
	return nil
}

func (d *Document) readScopes() error {
	schema := d.OpenAPI.Components.Schemas["Scope"].Value
	descriptions, _ := schema.Extensions["x-scope-descriptions"].(map[string]any)
	d.ScopeDescriptions = make(map[api.Scope]string, len(schema.Enum))
	for _, value := range schema.Enum {
		scope := api.Scope(fmt.Sprint(value))
		text, _ := descriptions[string(scope)].(string)
		if text == "" {
			return fmt.Errorf("x-scope-descriptions: %s is missing", scope)
		}
		d.Scopes = append(d.Scopes, scope)
		d.ScopeDescriptions[scope] = text
	}
	return nil
}

func (d *Document) readEvents() error {
	d.Events = map[api.EventType]api.Scope{}
	for name, item := range d.OpenAPI.Webhooks {
		scope, _ := item.Post.Extensions["x-required-scope"].(string)
		if kind := api.EventType(name); !kind.Valid() || scope != "" && !api.Scope(scope).Valid() {
			return fmt.Errorf("webhook %s: unknown event or scope %q", name, scope)
		}
		d.Events[api.EventType(name)] = api.Scope(scope)
	}
	return nil
}

// echoPath turns /leads/{id} into /api/v1/leads/:id.
func echoPath(path string) string {
	return BasePath + strings.NewReplacer("{", ":", "}", "").Replace(path)
}
