package apitest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/openapi"
)

// CoverageVariable names the directory where each test process records which statuses of
// which operations it has seen.
const CoverageVariable = "CONVO_SPEC_COVERAGE_DIR"

// checker validates responses against the document. Independently of the server, it
// applies all rules of OpenAPI 3.1 and rejects undocumented properties.
type checker struct {
	document *openapi3.T
	routes   *http.ServeMux
	found    map[string]*openapi3filter.RequestValidationInput
}

// shared is the checker of all tests of a process.
var shared = sync.OnceValue(func() *checker {
	document, err := openapi3.NewLoader().LoadFromData(openapi.JSON)
	if err != nil {
		panic(err)
	}
	for _, schema := range document.Components.Schemas {
		closeObjects(schema)
	}
	c := &checker{document: document, routes: http.NewServeMux(), found: map[string]*openapi3filter.RequestValidationInput{}}
	for template, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			pattern := method + " " + spec.BasePath + template
			c.routes.Handle(pattern, http.NotFoundHandler())
			c.found[pattern] = &openapi3filter.RequestValidationInput{Route: &routers.Route{
				Spec: document, Path: template, PathItem: item, Method: method, Operation: operation,
			}}
		}
	}
	return c
})

// closeObjects rejects undocumented properties.
func closeObjects(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Ref != "" || ref.Value == nil {
		return // a component, which is closed on its own
	}
	s := ref.Value
	merge(s)
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		closed := false
		s.AdditionalProperties.Has = &closed
	}
	for _, property := range s.Properties {
		closeObjects(property)
	}
	closeObjects(s.Items)
}

// merge replaces allOf by the properties of its parts, which would otherwise refuse each
// other's properties once they are closed.
func merge(s *openapi3.Schema) {
	if len(s.AllOf) == 0 {
		return
	}
	properties := openapi3.Schemas{}
	for _, part := range s.AllOf {
		merge(part.Value)
		maps.Copy(properties, part.Value.Properties)
		s.Required = append(s.Required, part.Value.Required...)
	}
	s.Type, s.Properties, s.AllOf = &openapi3.Types{openapi3.TypeObject}, properties, nil
}

func (c *checker) check(t testing.TB, request *http.Request, response Response) {
	t.Helper()
	require.NotEmpty(t, response.Header.Get("X-Request-Id"))
	require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	asGet := request
	if request.Method == http.MethodHead {
		get := *request
		get.Method = http.MethodGet
		asGet = &get
	}
	_, pattern := c.routes.Handler(asGet)
	input, ok := c.found[pattern]
	if clean := path.Clean(request.URL.Path) == request.URL.Path; !ok || !clean || outsideOfOperations(response.Status) {
		c.checkUnmatched(t, response)
		return
	}
	operation := input.Route.Operation
	what := fmt.Sprintf("%s returned %d: %s", operation.OperationID, response.Status, response.Body)
	documented := operation.Responses.Status(response.Status)
	require.NotNil(t, documented, "undocumented status: %s", what)
	note(operation.OperationID, response.Status)
	c.checkHeaders(t, documented.Value, response, what)
	if request.Method == http.MethodHead {
		return
	}
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: input.Route},
		Status:                 response.Status, Header: response.Header, Body: io.NopCloser(bytes.NewReader(response.Body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	require.NoError(t, err, what)
	if len(documented.Value.Content) == 0 {
		require.Empty(t, response.Body, "undocumented body: %s", what)
	}
}

// outsideOfOperations reports whether a status can be returned before the operation is
// known, or because there is none.
func outsideOfOperations(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusMethodNotAllowed
}

// checkUnmatched validates responses of unknown paths against the schema of problems.
func (c *checker) checkUnmatched(t testing.TB, response Response) {
	t.Helper()
	if response.Status < http.StatusBadRequest {
		return // preflights
	}
	if len(response.Body) == 0 {
		return // to HEAD
	}
	problem := Decode[any](t, response)
	require.NoError(t, c.document.Components.Schemas["Problem"].Value.VisitJSON(problem, openapi3.EnableJSONSchema2020()))
}

// checkHeaders requires the documented headers, except those that depend on the request.
func (c *checker) checkHeaders(t testing.TB, documented *openapi3.Response, response Response, what string) {
	t.Helper()
	for name := range documented.Headers {
		switch name {
		case "Link", "X-Next-Cursor", "Idempotent-Replayed":
		case "Retry-After":
			if response.Status == http.StatusConflict && !strings.Contains(string(response.Body), "idempotency_key_in_use") {
				continue
			}
			require.NotEmpty(t, response.Header.Get(name), "no %s: %s", name, what)
		default:
			require.NotEmpty(t, response.Header.Get(name), "no %s: %s", name, what)
		}
	}
}

var noted struct {
	sync.Mutex

	file *os.File
	seen map[string]bool
}

// note records an operation and status in the process's file, once.
func note(operationID string, status int) {
	dir := os.Getenv(CoverageVariable)
	if dir == "" {
		return
	}
	noted.Lock()
	defer noted.Unlock()
	pair := fmt.Sprintf("%s %d\n", operationID, status)
	if noted.seen[pair] {
		return
	}
	if noted.file == nil {
		file, err := os.CreateTemp(dir, filepath.Base(os.Args[0])+"-*")
		if err != nil {
			panic(err)
		}
		noted.file, noted.seen = file, map[string]bool{}
	}
	noted.seen[pair] = true
	if _, err := noted.file.WriteString(pair); err != nil {
		panic(err)
	}
}

// Check validates a response that was not received by Do or Send against the document.
func (s *Server) Check(t testing.TB, method, url string, response Response) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	s.checker.check(t, request, response)
}
