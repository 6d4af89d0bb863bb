package spec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// translate changes a 3.1 schema in place so that kin-openapi's 3.0 visitor enforces
// the same rules. It fails if that is not possible. The library's 3.1 visitor compiles
// the schema for every value, which is about thirty times slower.
func translate(ref *openapi3.SchemaRef) error {
	return walk(ref, false, map[*openapi3.Schema]bool{})
}

// walk translates a schema and its children. conditional is true below oneOf, anyOf and
// not, where a value may legitimately break the schema.
func walk(ref *openapi3.SchemaRef, conditional bool, seen map[*openapi3.Schema]bool) error {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return nil
	}
	schema := ref.Value
	seen[schema] = true
	if keyword := unknownKeyword(schema); keyword != "" {
		return fmt.Errorf("the keyword %s is not enforced: use another keyword", keyword)
	}
	// Package validation checks propertyNames without looking at alternatives.
	if conditional && schema.PropertyNames != nil {
		return errors.New("the keyword propertyNames below oneOf, anyOf or not is not enforced: use another keyword")
	}
	if schema.Const != nil && len(schema.Enum) == 0 {
		schema.Enum = []any{schema.Const}
	}
	if err := translateNull(schema); err != nil {
		return err
	}
	return walkChildren(schema, conditional, seen)
}

func walkChildren(schema *openapi3.Schema, conditional bool, seen map[*openapi3.Schema]bool) error {
	children := append([]*openapi3.SchemaRef{schema.Items, schema.AdditionalProperties.Schema, schema.PropertyNames}, schema.AllOf...)
	for _, property := range schema.Properties {
		children = append(children, property)
	}
	for _, child := range children {
		if err := walk(child, conditional, seen); err != nil {
			return err
		}
	}
	alternatives := append([]*openapi3.SchemaRef{schema.Not}, schema.OneOf...)
	for _, child := range append(alternatives, schema.AnyOf...) {
		if err := walk(child, true, seen); err != nil {
			return err
		}
	}
	return nil
}

// translateNull corrects how the visitor handles null: it accepts null whenever the type
// includes it, even if other keywords exclude it, and rejects it if there is no type.
func translateNull(s *openapi3.Schema) error {
	composed := len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0
	listed := slices.Contains(s.Enum, nil)
	switch {
	case s.Type.IncludesNull() && (composed || s.Not != nil):
		return errors.New("the type null next to oneOf, anyOf, allOf or not is not enforced: use another keyword")
	case s.Type == nil && s.Not != nil:
		return errors.New("not without a type is not enforced: use another keyword")
	case s.Type.IncludesNull() && len(s.Enum) > 0 && !listed:
		types := slices.DeleteFunc(s.Type.Clone(), func(name string) bool { return name == openapi3.TypeNull })
		s.Type = &types
	case s.Type == nil && !composed:
		s.Nullable = len(s.Enum) == 0 || listed
	}
	return nil
}

// unknownKeyword returns a keyword of JSON Schema 2020-12 that neither the 3.0 visitor
// nor package validation enforces, or "".
func unknownKeyword(s *openapi3.Schema) string {
	present := map[string]bool{
		"prefixItems": len(s.PrefixItems) > 0, "contains": s.Contains != nil,
		"patternProperties": len(s.PatternProperties) > 0,
		"dependentSchemas":  len(s.DependentSchemas) > 0, "dependentRequired": len(s.DependentRequired) > 0,
		"unevaluatedItems":      s.UnevaluatedItems.Has != nil || s.UnevaluatedItems.Schema != nil,
		"unevaluatedProperties": s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil,
		"if":                    s.If != nil, "$dynamicRef": s.DynamicRef != "", "contentSchema": s.ContentSchema != nil,
	}
	for keyword, is := range present {
		if is {
			return keyword
		}
	}
	return ""
}
