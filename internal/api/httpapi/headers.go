package httpapi

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/spec"
)

// linker writes the addresses of pages and resources.
type linker struct{ publicURL string }

// next returns the Link header of the page after this one (RFC 8288); nil on the
// last.
func (l linker) next(ctx context.Context, cursor *string) *string {
	if cursor == nil {
		return nil
	}
	return l.with(ctx, "cursor", *cursor)
}

// with returns a Link header to the same list with another value of a parameter.
func (l linker) with(ctx context.Context, parameter, value string) *string {
	here := middleware.CallFrom(ctx).URL
	link := "<" + l.publicURL + here.Path + "?" + replaced(here.RawQuery, parameter, value) + `>; rel="next"`
	return &link
}

// replaced puts a value, which needs no escaping, in the place of the query's own.
// The query was found valid.
func replaced(raw, parameter, value string) string {
	if strings.Contains(raw, "%") { // the name itself may be escaped
		query, err := url.ParseQuery(raw)
		if err == nil {
			query.Del(parameter)
			raw = query.Encode()
		}
	}
	parameter += "="
	var b strings.Builder
	b.Grow(len(raw) + len("&") + len(parameter) + len(value))
	for part := range strings.SplitSeq(raw, "&") {
		if part != "" && !strings.HasPrefix(part, parameter) {
			b.WriteString(part)
			b.WriteByte('&')
		}
	}
	b.WriteString(parameter)
	b.WriteString(value)
	return b.String()
}

// location returns the path of a resource.
func location(collection string, resource uuid.UUID) *string {
	path := spec.BasePath + collection + "/" + resource.String()
	return &path
}

// allowedHeaders are those that a browser may send from another origin.
func allowedHeaders() []string {
	return []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Original-Name", "X-Request-Id"}
}

// exposedHeaders are all that the document's answers carry: a browser hides the
// others from scripts of another origin.
func exposedHeaders(document *spec.Document) []string {
	var names []string
	for _, operation := range document.Operations {
		for _, response := range operation.Definition.Responses.Map() {
			for name := range response.Value.Headers {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
