package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
)

// property describes a property of an object, a parameter or a header.
type property struct {
	Name        string
	Type        string
	Required    bool
	Description template.HTML
	Limits      []string // such as "1 to 200 characters"
	Values      []string // allowed values of an enum or constant
	Properties  []property
}

// depth limits how deeply nested objects are described.
const depth = 5

// properties describes the properties of an object, or of the objects in an array.
func (d *document) properties(s *schema, left int) ([]property, error) {
	s = d.schema(s)
	switch {
	case s == nil || left == 0:
		return nil, nil
	case s.Items != nil:
		return d.properties(s.Items, left)
	}
	names, properties, err := ordered[schema](s.Properties)
	if err != nil {
		return nil, err
	}
	all := make([]property, 0, len(names))
	for i, name := range names {
		one, err := d.property(name, properties[i], slices.Contains(s.Required, name), left)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (d *document) property(name string, s *schema, required bool, left int) (property, error) {
	value := d.schema(s)
	text := s.Description
	if text == "" {
		text = value.Description
	}
	description, err := markdown(text)
	if err != nil {
		return property{}, err
	}
	inner, err := d.properties(value, left-1)
	if err != nil {
		return property{}, err
	}
	limited := value
	if value.Items != nil && len(value.Enum) == 0 {
		limited = d.schema(value.Items)
	}
	return property{
		Name: name, Type: d.typeName(value), Required: required, Description: description,
		Limits: append(limits(value), defaults(s, value)...), Values: values(limited), Properties: inner,
	}, nil
}

// typeName describes a type: "string (uuid)", "array of objects", "integer or null".
func (d *document) typeName(s *schema) string {
	s = d.schema(s)
	names := s.types()
	for i, name := range names {
		if name == "array" && s.Items != nil {
			names[i] = "array of " + plural(d.typeName(s.Items))
		} else if s.Format != "" && name != "null" && !strings.HasPrefix(s.Format, "int") {
			names[i] = name + " (" + s.Format + ")"
		}
	}
	if len(names) == 0 {
		return "object"
	}
	return strings.Join(names, " or ")
}

func plural(name string) string {
	word, rest, _ := strings.Cut(name, " ")
	if rest != "" {
		rest = " " + rest
	}
	return word + "s" + rest
}

func (s *schema) types() []string {
	var one string
	if json.Unmarshal(s.Type, &one) == nil {
		return []string{one}
	}
	var several []string
	if json.Unmarshal(s.Type, &several) == nil {
		return several
	}
	return nil
}

func limits(s *schema) []string {
	var all []string
	for _, span := range []struct {
		least, most *int
		of          string
	}{{s.MinLength, s.MaxLength, "characters"}, {s.MinItems, s.MaxItems, "items"}, {s.MinProperties, s.MaxProperties, "properties"}} {
		switch {
		case span.least != nil && span.most != nil:
			all = append(all, fmt.Sprintf("%d to %d %s", *span.least, *span.most, span.of))
		case span.least != nil:
			all = append(all, fmt.Sprintf("at least %d %s", *span.least, span.of))
		case span.most != nil:
			all = append(all, fmt.Sprintf("at most %d %s", *span.most, span.of))
		}
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		all = append(all, fmt.Sprintf("%s to %s", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		all = append(all, fmt.Sprintf("at least %s", *s.Minimum))
	case s.Maximum != nil:
		all = append(all, fmt.Sprintf("at most %s", *s.Maximum))
	}
	if s.Pattern != "" {
		all = append(all, "matches "+s.Pattern)
	}
	return all
}

func defaults(s, value *schema) []string {
	given := s.Default
	if given == nil {
		given = value.Default
	}
	if given == nil {
		return nil
	}
	return []string{fmt.Sprintf("default %v", given)}
}

func values(s *schema) []string {
	if s.Const != nil {
		return []string{fmt.Sprint(s.Const)}
	}
	var all []string
	for _, value := range s.Enum {
		if value != nil {
			all = append(all, fmt.Sprint(value))
		}
	}
	return all
}

// markdown renders a description (CommonMark, as OpenAPI defines it). Raw HTML is
// omitted.
func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := goldmark.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("description: %w", err)
	}
	return template.HTML(strings.TrimSpace(out.String())), nil //nolint:gosec // the document is embedded, not user input
}

func indent(raw json.RawMessage) (string, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return "", fmt.Errorf("example: %w", err)
	}
	return out.String(), nil
}
