// Package validation validates requests against the published document with
// kin-openapi, using the operation that the router matched. It adds what kin-openapi
// does not check: unknown, repeated and empty parameters, formats, property names, and
// JSON that parsers read in different ways.
//
// Values are checked by kin-openapi's 3.0 visitor, which is fast. Package spec translates
// the document so that it enforces the same rules.
package validation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
)

// Validator checks the requests of one operation.
type Validator struct {
	operation *spec.Operation
	query     map[string]*openapi3.Parameter
	route     *routers.Route
	body      *openapi3.Schema // of a JSON body; nil if there is none
	names     bool             // body restricts property names
}

// New returns the validator of an operation. It panics if a path parameter is neither a UUID,
// a number from 1 nor one of several names, which are all that it checks.
func New(operation *spec.Operation) *Validator {
	v := &Validator{
		operation: operation, query: map[string]*openapi3.Parameter{},
		// Named 3.0 so that values go to the fast visitor.
		route: &routers.Route{Spec: &openapi3.T{OpenAPI: "3.0.3"}},
	}
	for _, parameter := range operation.Parameters {
		switch parameter.In {
		case openapi3.ParameterInQuery:
			v.query[parameter.Name] = parameter
		case openapi3.ParameterInPath:
			if schema := parameter.Schema.Value; schema.Format != "uuid" && !isNumber(schema) && len(schema.Enum) == 0 {
				panic("validation: the path parameter " + parameter.Name + " of " + operation.ID + " is neither a UUID, a number from 1 nor one of several names")
			}
		}
	}
	if operation.Body != nil {
		if media := operation.Body.Content.Get("application/json"); media != nil {
			v.body = media.Schema.Value
			v.names = restrictsNames(v.body)
		}
	}
	return v
}

// Parameters validates path, query and headers. The path parameters come from the
// router. It returns all validation errors, or an error if the query cannot be parsed.
func (v *Validator) Parameters(r *http.Request, path func(name string) string) ([]api.FieldError, error) {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	broken := v.checkNames(query)
	input := &openapi3filter.RequestValidationInput{
		Request: r, QueryParams: query, Route: v.route,
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, SchemaValidationOptions: formats,
		},
	}
	for _, parameter := range v.operation.Parameters {
		location := parameter.In + "." + parameter.Name
		if parameter.In == openapi3.ParameterInPath {
			if fault := checkPath(parameter.Schema.Value, path(parameter.Name)); fault != "" {
				broken = append(broken, api.FieldError{Location: location, Message: fault})
			}
			continue
		}
		if parameter.In == openapi3.ParameterInHeader {
			if fault := checkHeader(r.Header.Values(parameter.Name)); fault != "" {
				broken = append(broken, api.FieldError{Location: location, Message: fault})
				continue
			}
		}
		if err := openapi3filter.ValidateParameter(context.Background(), input, parameter); err != nil {
			broken = append(broken, parameterErrors(location, parameter, err)...)
		}
	}
	return broken, nil
}

// checkNames returns an error for each unknown, repeated and empty parameter, and removes
// these from query so that they are not reported twice.
func (v *Validator) checkNames(query url.Values) []api.FieldError {
	var broken []api.FieldError
	for name, values := range query {
		var fault string
		switch {
		case v.query[name] == nil:
			fault = "is not a parameter of this operation"
		case len(values) > 1:
			fault = "must not be repeated"
		case values[0] == "":
			fault = "must not be empty"
		default:
			continue
		}
		delete(query, name)
		broken = append(broken, api.FieldError{Location: "query." + name, Message: fault})
	}
	slices.SortFunc(broken, func(a, b api.FieldError) int { return cmp.Compare(a.Location, b.Location) })
	return broken
}

// isNumber reports whether a schema is that of a number from 1, such as that of a version.
func isNumber(schema *openapi3.Schema) bool {
	return schema.Type.Is(openapi3.TypeInteger) && schema.Format == "int32" && schema.Min != nil && *schema.Min == 1
}

// checkPath returns what is wrong with a path parameter; see New. A number has one spelling.
func checkPath(schema *openapi3.Schema, value string) string {
	if isNumber(schema) {
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != value {
			return fmt.Sprintf("must be an integer from 1 to %d", math.MaxInt32)
		}
		return ""
	}
	if len(schema.Enum) == 0 {
		if checkUUID(value) != nil {
			return "must be " + formatName("uuid")
		}
		return ""
	}
	names := make([]string, len(schema.Enum))
	for i, one := range schema.Enum {
		names[i] = fmt.Sprint(one)
	}
	if !slices.Contains(names, value) {
		return "must be one of " + strings.Join(names, ", ")
	}
	return ""
}

func checkHeader(values []string) string {
	switch {
	case len(values) > 1:
		return "must not be repeated"
	case len(values) == 1 && values[0] == "":
		return "must not be empty"
	}
	return ""
}

func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil //nolint:nilnil // no query is a query without parameters
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.Malformed("The query string is not valid. Percent-encode special characters.").WithCause(err)
	}
	for name, values := range query {
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return nil, problem.Malformed("The query string must be UTF-8 and must not contain NUL characters.")
			}
		}
	}
	return query, nil
}

func parameterErrors(location string, parameter *openapi3.Parameter, err error) []api.FieldError {
	var parse *openapi3filter.ParseError
	switch {
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return []api.FieldError{{Location: location, Message: "is required"}}
	case errors.As(err, &parse):
		return []api.FieldError{{Location: location, Message: "must be " + typeName(parameter.Schema.Value)}}
	}
	var request *openapi3filter.RequestError
	if errors.As(err, &request) && request.Err != nil {
		err = request.Err
	}
	return schemaErrors(location, err)
}
