package spec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// translate makes a schema mean the same to kin-openapi's 3.0 visitor as it does
// in 3.1, in place, and fails where that cannot be done. The visitor made for 3.1
// would compile the schema anew for each value, some thirty times slower.
func translate(ref *openapi3.SchemaRef) error {
	return walk(ref, map[*openapi3.Schema]bool{})
}

func walk(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) error {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return nil
	}
	schema := ref.Value
	seen[schema] = true
	if keyword := unknownKeyword(schema); keyword != "" {
		return fmt.Errorf("the keyword %s is not enforced: say it another way", keyword)
	}
	if schema.Const != nil && len(schema.Enum) == 0 {
		schema.Enum = []any{schema.Const}
	}
	if err := translateNull(schema); err != nil {
		return err
	}
	children := []*openapi3.SchemaRef{schema.Not, schema.Items, schema.AdditionalProperties.Schema}
	for _, property := range schema.Properties {
		children = append(children, property)
	}
	for _, list := range []openapi3.SchemaRefs{schema.OneOf, schema.AnyOf, schema.AllOf} {
		children = append(children, list...)
	}
	for _, child := range children {
		if err := walk(child, seen); err != nil {
			return err
		}
	}
	return nil
}

// translateNull mends what the visitor makes of null: it takes null as soon as the
// type does, whatever else is said, and refuses it where no type is named.
func translateNull(s *openapi3.Schema) error {
	composed := len(s.OneOf)+len(s.AnyOf)+len(s.AllOf) > 0
	listed := slices.Contains(s.Enum, nil)
	switch {
	case s.Type.IncludesNull() && (composed || s.Not != nil):
		return errors.New("the type null beside oneOf, anyOf, allOf or not is not enforced: say it another way")
	case s.Type == nil && s.Not != nil:
		return errors.New("not without a type is not enforced: say it another way")
	case s.Type.IncludesNull() && len(s.Enum) > 0 && !listed:
		types := slices.DeleteFunc(s.Type.Clone(), func(name string) bool { return name == openapi3.TypeNull })
		s.Type = &types
	case s.Type == nil && !composed:
		s.Nullable = len(s.Enum) == 0 || listed
	}
	return nil
}

// unknownKeyword names a keyword of JSON Schema 2020-12 that the 3.0 visitor
// passes over.
func unknownKeyword(s *openapi3.Schema) string {
	present := map[string]bool{
		"prefixItems": len(s.PrefixItems) > 0, "contains": s.Contains != nil,
		"patternProperties": len(s.PatternProperties) > 0, "propertyNames": s.PropertyNames != nil,
		"dependentSchemas": len(s.DependentSchemas) > 0, "dependentRequired": len(s.DependentRequired) > 0,
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
