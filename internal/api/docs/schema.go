package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"reflect"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
)

// property describes a property of an object or a parameter.
type property struct {
	Name        string
	Type        string
	Required    bool
	Description template.HTML
	Limits      []string // such as "1 to 200 characters"
	Values      []string // of an enum
	Properties  []property
}

// depth limits how deeply nested objects are described.
const depth = 5

// properties describes the properties of an object, of the objects in an array, or of
// several alternatives.
func (d *document) properties(s *schema, left int) ([]property, error) {
	s = d.schema(s)
	switch {
	case s == nil || left == 0:
		return nil, nil
	case s.Items != nil:
		return d.properties(s.Items, left)
	case len(s.OneOf) > 0:
		return d.alternatives(s.OneOf, left)
	}
	all, err := d.inherited(s, left)
	if err != nil {
		return nil, err
	}
	names, schemas, err := ordered[schema](s.Properties)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		one, err := d.property(name, schemas[i], slices.Contains(s.Required, name), left)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// inherited describes the properties of the schemas in allOf.
func (d *document) inherited(s *schema, left int) ([]property, error) {
	var all []property
	for _, part := range s.AllOf {
		inner, err := d.properties(part, left)
		if err != nil {
			return nil, err
		}
		all = append(all, inner...)
	}
	return all, nil
}

// alternatives describes the properties of all alternatives. A property is required if it
// is required in each of them, and its values are those of all of them.
func (d *document) alternatives(schemas []*schema, left int) ([]property, error) {
	var all []property
	seen := map[string]int{} // number of alternatives
	for _, alternative := range schemas {
		inner, err := d.properties(alternative, left)
		if err != nil {
			return nil, err
		}
		for _, one := range inner {
			seen[one.Name]++
			i := slices.IndexFunc(all, func(p property) bool { return p.Name == one.Name })
			if i < 0 {
				all = append(all, one)
				continue
			}
			all[i].Required = all[i].Required && one.Required
			all[i].Values = merge(all[i].Values, one.Values)
			if !reflect.DeepEqual(all[i].Properties, one.Properties) {
				all[i].Properties = nil // described with the alternatives
			}
		}
	}
	for i := range all {
		all[i].Required = all[i].Required && seen[all[i].Name] == len(schemas)
	}
	return all, nil
}

func merge(values, more []string) []string {
	for _, value := range more {
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
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
		Limits: append(limits(value), defaults(s, value)...), Values: d.values(limited), Properties: inner,
	}, nil
}

// typeName describes a type: "string (uuid)", "array of objects", "integer or null".
func (d *document) typeName(s *schema) string {
	s = d.schema(s)
	names := s.types()
	for _, alternative := range s.OneOf {
		names = merge(names, []string{d.typeName(alternative)})
	}
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

func (d *document) values(s *schema) []string {
	if s.Const != nil {
		return []string{fmt.Sprint(s.Const)}
	}
	var all []string
	for _, value := range s.Enum {
		if value != nil {
			all = append(all, fmt.Sprint(value))
		}
	}
	for _, alternative := range s.OneOf {
		all = merge(all, d.values(d.schema(alternative)))
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
