package docs

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/spec"
)

// chapter is a page before it is rendered.
type chapter struct {
	path, title, template string
	group                 string // navigation group; empty if the page is not in the navigation
	inner                 []link
	model                 any
	search                []searchEntry
}

// guideGroup is the navigation group of the pages whose whole text is searched.
const guideGroup = "Guide"

// chapters returns all pages in navigation order.
func (b *builder) chapters(origin string) ([]chapter, error) {
	guide, err := b.guide()
	if err != nil {
		return nil, err
	}
	errorPages, err := b.errorPages(origin)
	if err != nil {
		return nil, err
	}
	endpoints, err := b.endpointPages()
	if err != nil {
		return nil, err
	}
	return slices.Concat(guide, endpoints, []chapter{
		{path: Path + "/explorer", title: "Explorer", template: "explorer", group: "Try it"},
		{path: "404", title: "Not found", template: "missing"},
	}, errorPages), nil
}

func (b *builder) guide() ([]chapter, error) {
	models := []func() (any, error){
		b.overview, b.authentication, b.scopesPage, b.rateLimits, b.errorsPage, b.pagination, b.idempotency, b.webhooksPage, b.eventsPage,
	}
	all := []chapter{
		{path: Path, title: "Overview", template: "overview"},
		{path: Path + "/authentication", title: "Authentication", template: "authentication"},
		{path: Path + "/scopes", title: "Scopes", template: "scopes"},
		{path: Path + "/rate-limits", title: "Rate limits", template: "rate-limits"},
		{path: Path + "/errors", title: "Errors", template: "errors"},
		{path: Path + "/pagination", title: "Pagination", template: "pagination"},
		{path: Path + "/idempotency", title: "Idempotency", template: "idempotency"},
		{path: Path + "/receiving-webhooks", title: "Receiving webhooks", template: "receiving-webhooks"},
		{path: Path + "/events", title: "Events", template: "events"},
	}
	for i := range all {
		model, err := models[i]()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].path, err)
		}
		all[i].group, all[i].model = guideGroup, model
		if events, ok := model.([]event); ok {
			for _, e := range events {
				all[i].search = append(all[i].search, searchEntry{Title: e.Name, Kind: "Event", URL: all[i].path + "#" + anchor(e.Name), Text: e.Summary})
			}
		}
	}
	return all, nil
}

func (b *builder) endpointPages() ([]chapter, error) {
	var all []chapter
	for _, t := range b.Tags {
		endpoints, err := b.endpoints(t.Name)
		if err != nil {
			return nil, err
		}
		description, err := markdown(t.Description)
		if err != nil {
			return nil, err
		}
		c := chapter{
			path: Path + "/" + strings.ToLower(t.Name), title: t.Name, template: "endpoints", group: "Endpoints",
			model: struct {
				Description template.HTML
				Setup       string
				Endpoints   []endpoint
			}{description, setup(b.base, needed(endpoints)), endpoints},
			search: []searchEntry{{Title: t.Name, Kind: "Endpoints", URL: Path + "/" + strings.ToLower(t.Name), Text: t.Description}},
		}
		for _, e := range endpoints {
			c.inner = append(c.inner, link{Path: c.path + "#" + e.ID, Title: e.Summary})
			c.search = append(c.search, searchEntry{
				Title: e.Summary, Kind: e.Method + " " + strings.TrimPrefix(e.Path, spec.BasePath), URL: c.path + "#" + e.ID,
				Text: e.ID + " " + e.Path + " " + e.Scope + " " + b.Paths[strings.TrimPrefix(e.Path, spec.BasePath)][strings.ToLower(e.Method)].Description,
			})
		}
		all = append(all, c)
	}
	return all, nil
}

// needed returns the variables of the samples of endpoints.
func needed(endpoints []endpoint) (all []string) {
	for _, e := range endpoints {
		all = append(all, e.Variables...)
	}
	return all
}

func (b *builder) errorPages(origin string) ([]chapter, error) {
	codes, err := b.codes()
	if err != nil {
		return nil, err
	}
	all := make([]chapter, len(codes))
	for i, code := range codes {
		body, err := json.MarshalIndent(problem{
			Type: origin + Path + "/errors/" + code.Code, Title: code.Title, Status: code.Status, Detail: "A sentence that describes the error.",
			Instance: "urn:convo:request:req_3f0c2d", Code: code.Code, RequestID: "req_3f0c2d",
		}, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("problem: %w", err)
		}
		path := Path + "/errors/" + code.Code
		all[i] = chapter{path: path, title: code.Title, template: "error", model: struct {
			errorCode

			Body       string
			Operations []*spec.Operation
		}{code, string(body), b.raisedBy(code.Status)}, search: []searchEntry{{Title: code.Code, Kind: fmt.Sprintf("Error %d", code.Status), URL: path, Text: fmt.Sprint(code.Status, " ", code.Title, " ", plainText(string(code.Description)))}}}
	}
	return all, nil
}

// problem holds the properties of every error, in the order in which they are sent.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	Code      string `json:"code"`
	RequestID string `json:"requestId"`
}

func (b *builder) overview() (any, error) {
	text, err := markdown(b.Info.Description)
	if err != nil {
		return nil, err
	}
	tags := make([]struct{ Name, Path, Description string }, len(b.Tags))
	for i, t := range b.Tags {
		tags[i] = struct{ Name, Path, Description string }{t.Name, Path + "/" + strings.ToLower(t.Name), t.Description}
	}
	first, err := curl(b.base, b.operation("listLeads"), b.examples["listLeads"])
	return struct {
		Description template.HTML
		Tags        any
		Curl        string
	}{text, tags, first}, err
}

func (b *builder) operation(id string) *spec.Operation {
	for _, o := range b.spec.Operations {
		if o.ID == id {
			return o
		}
	}
	return nil
}

func (b *builder) authentication() (any, error) {
	about := b.Components.SecuritySchemes["bearerAuth"]
	description, err := markdown(about.Description)
	if err != nil {
		return nil, err
	}
	return struct {
		Description template.HTML
		Format      string
	}{description, about.BearerFormat}, nil
}

func (b *builder) scopesPage() (any, error) {
	scopes, err := b.scopes()
	if err != nil {
		return nil, err
	}
	type row struct {
		scope

		Operations []link
	}
	rows := make([]row, 0, len(scopes)+1)
	for _, one := range append(scopes, scope{"", "Any valid token, regardless of its scopes."}) {
		r := row{scope: one}
		for _, o := range b.spec.Operations {
			if !o.Public && string(o.Scope) == one.Name {
				r.Operations = append(r.Operations, b.link(o))
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// link returns a link to an operation on its page.
func (b *builder) link(o *spec.Operation) link {
	return link{Path: Path + "/" + strings.ToLower(o.Definition.Tags[0]) + "#" + o.ID, Title: o.Definition.Summary}
}

func (b *builder) rateLimits() (any, error) {
	names, classes, err := ordered[limitClass](b.RateLimits)
	if err != nil {
		return nil, err
	}
	headers, err := b.headers("RateLimitPolicy", "RateLimit", "XRateLimitLimit", "XRateLimitRemaining", "XRateLimitReset", "RetryAfter")
	return struct {
		Names   []string
		Classes []*limitClass
		Headers []property
	}{names, classes, headers}, err
}

// headers describes header components of the document under their HTTP names.
func (b *builder) headers(components ...string) ([]property, error) {
	sent := map[string]string{
		"RateLimitPolicy": "RateLimit-Policy", "RateLimit": "RateLimit", "XRateLimitLimit": "X-RateLimit-Limit", "XRateLimitRemaining": "X-RateLimit-Remaining",
		"XRateLimitReset": "X-RateLimit-Reset", "RetryAfter": "Retry-After", "Link": "Link", "NextCursor": "X-Next-Cursor", "IdempotentReplayed": "Idempotent-Replayed",
	}
	var all []property
	for _, name := range components {
		h, ok := b.Components.Headers[name]
		if !ok {
			return nil, fmt.Errorf("header %s is not in the document", name)
		}
		description, err := markdown(h.Description)
		if err != nil {
			return nil, err
		}
		all = append(all, property{Name: sent[name], Description: description})
	}
	return all, nil
}

func (b *builder) errorsPage() (any, error) {
	codes, err := b.codes()
	if err != nil {
		return nil, err
	}
	properties, err := b.properties(b.Components.Schemas["Problem"], depth)
	return struct {
		Codes      []errorCode
		Properties []property
	}{codes, properties}, err
}

func (b *builder) parameters(names ...string) ([]property, error) {
	var all []property
	for _, name := range names {
		p := b.Components.Parameters[name]
		one, err := b.property(p.Name, p.Schema, p.Required, depth)
		if err != nil {
			return nil, err
		}
		if one.Description, err = markdown(p.Description); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (b *builder) pagination() (any, error) {
	parameters, err := b.parameters("Limit", "Cursor")
	if err != nil {
		return nil, err
	}
	headers, err := b.headers("Link", "NextCursor")
	if err != nil {
		return nil, err
	}
	first, err := curl(b.base, b.operation("listAgents"), spec.Example{Path: "/agents", Query: []spec.NameValue{{Name: "limit", Value: "2"}}})
	return struct {
		Parameters, Headers []property
		Curl                string
	}{parameters, headers, first}, err
}

func (b *builder) idempotency() (any, error) {
	parameters, err := b.parameters("IdempotencyKey")
	if err != nil {
		return nil, err
	}
	headers, err := b.headers("IdempotentReplayed")
	if err != nil {
		return nil, err
	}
	codes, err := b.codes()
	if err != nil {
		return nil, err
	}
	codes = slices.DeleteFunc(codes, func(c errorCode) bool { return !strings.HasPrefix(c.Code, "idempotency_") })
	sampled := b.examples["createLead"]
	sampled.Header = []spec.NameValue{{Name: "Idempotency-Key", Value: fmt.Sprint(b.Components.Parameters["IdempotencyKey"].Example)}}
	once, err := curl(b.base, b.operation("createLead"), sampled)
	return struct {
		Parameters, Headers []property
		Codes               []errorCode
		Curl                string
	}{parameters, headers, codes, once}, err
}

func (b *builder) webhooksPage() (any, error) {
	var headers []property
	_, items, err := ordered[struct{ Post operation }](b.Webhooks)
	if err != nil {
		return nil, err
	}
	for _, p := range items[0].Post.Parameters {
		description, err := markdown(p.Description)
		if err != nil {
			return nil, err
		}
		headers = append(headers, property{Name: p.Name, Description: description})
	}
	var programs [3]string
	for i, name := range []string{"verify.ts", "verify.go", "verify.py"} {
		if programs[i], err = sample(name); err != nil {
			return nil, err
		}
	}
	subscribe, err := curl(b.base, b.operation("createWebhook"), b.examples["createWebhook"])
	return struct {
		Headers                []property
		TypeScript, Go, Python string
		Curl                   string
	}{headers, programs[0], programs[1], programs[2], subscribe}, err
}

func (b *builder) eventsPage() (any, error) { return b.events() }
