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

// linker builds the URLs of pages and resources.
type linker struct{ publicURL string }

// next returns the Link header for the next page (RFC 8288), or nil on the last page.
func (l linker) next(ctx context.Context, cursor *string) *string {
	if cursor == nil {
		return nil
	}
	return l.with(ctx, "cursor", *cursor)
}

// with returns a Link header to the same list with a different value for a parameter.
func (l linker) with(ctx context.Context, parameter, value string) *string {
	here := middleware.CallFrom(ctx).URL
	link := "<" + l.publicURL + here.Path + "?" + replaced(here.RawQuery, parameter, value) + `>; rel="next"`
	return &link
}

// replaced sets a query parameter to a value that needs no escaping. The query must be
// valid.
func replaced(raw, parameter, value string) string {
	if strings.Contains(raw, "%") { // the name may be escaped too
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

// allowedHeaders are the headers that browsers may send from other origins.
func allowedHeaders() []string {
	return []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Original-Name", "X-Request-Id"}
}

// exposedHeaders are all response headers of the document. Browsers hide other headers
// from scripts of other origins.
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
