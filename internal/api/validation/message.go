package validation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/gen/api"
)

// schemaErrors returns one entry per validation error. It does not use the messages of
// kin-openapi, because they contain the schema and the value.
func schemaErrors(location string, err error) []api.FieldError {
	if many, ok := errors.AsType[openapi3.MultiError](err); ok {
		var all []api.FieldError
		for _, one := range many {
			all = append(all, schemaErrors(location, one)...)
		}
		return all
	}
	var one *openapi3.SchemaError
	if !errors.As(err, &one) {
		return []api.FieldError{{Location: location, Message: "is not valid"}}
	}
	path := one.JSONPointer()
	if one.SchemaField == "properties" {
		var name string
		if _, err := fmt.Sscanf(one.Reason, "property %q is unsupported", &name); err == nil {
			path = append(path, name)
		}
	}
	return []api.FieldError{{Location: strings.Join(append([]string{location}, path...), "."), Message: message(one)}}
}

func message(e *openapi3.SchemaError) string {
	switch s := e.Schema; e.SchemaField {
	case "type":
		return "must be " + typeName(s)
	case "nullable":
		return "must not be null"
	case "required":
		return "is required"
	case "properties":
		return "is not a known property"
	case "enum":
		return "must be one of " + list(s.Enum)
	case "format":
		return "must be " + formatName(s.Format)
	case "pattern":
		if s.Pattern == `\S` {
			return "must not be blank"
		}
		if text, ok := s.Extensions["x-pattern-description"].(string); ok {
			return "must be " + text
		}
		return "must match " + s.Pattern
	case "minLength":
		return "must contain at least " + count(s.MinLength, "character", "characters")
	case "maxLength":
		return "must contain at most " + count(*s.MaxLength, "character", "characters")
	case "minItems":
		return "must contain at least " + count(s.MinItems, "item", "items")
	case "maxItems":
		return "must contain at most " + count(*s.MaxItems, "item", "items")
	case "minProperties":
		return "must contain at least " + count(s.MinProps, "property", "properties")
	case "maxProperties":
		return "must contain at most " + count(*s.MaxProps, "property", "properties")
	case "minimum":
		return fmt.Sprintf("must be at least %g", *s.Min)
	case "maximum":
		return fmt.Sprintf("must be at most %g", *s.Max)
	}
	if e.Reason != "" {
		return e.Reason
	}
	return "is not valid"
}

// count returns a number with its noun: 1 item, 2 items.
func count(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func typeName(s *openapi3.Schema) string {
	names := map[string]string{
		"string": "a string", "integer": "an integer", "number": "a number",
		"boolean": "true or false", "array": "an array", "object": "an object", "null": "null",
	}
	var types []string
	for _, name := range s.Type.Slice() {
		types = append(types, names[name])
	}
	if len(types) == 0 {
		return "of another type"
	}
	return strings.Join(types, " or ")
}

func formatName(format string) string {
	switch format {
	case "uuid":
		return "a UUID"
	case "email", "idn-email":
		return "an email address"
	case "uri":
		return "an absolute URL"
	case "date-time":
		return "a date and time in RFC 3339 format, such as 2026-04-30T12:00:00Z"
	}
	return "in the format " + format
}

func list(values []any) string {
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, value)
	}
	return b.String()
}
