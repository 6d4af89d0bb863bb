package validation

import (
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/gen/api"
)

// variant returns the schema that applies to a value. If schema is a oneOf with a
// discriminator, that is the alternative the discriminator selects, so that errors name
// the property that is wrong instead of saying that no alternative matches.
func variant(schema *openapi3.Schema, value any) (*openapi3.Schema, []api.FieldError) {
	if schema.Discriminator == nil {
		return schema, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, []api.FieldError{{Location: "body", Message: "must be an object"}}
	}
	property := schema.Discriminator.PropertyName
	location := "body." + property
	given, present := object[property]
	if !present {
		return nil, []api.FieldError{{Location: location, Message: "is required"}}
	}
	name, _ := given.(string)
	selected := schema.Discriminator.Mapping[name].Ref
	known := make([]string, 0, len(schema.OneOf))
	for _, alternative := range schema.OneOf {
		if selected != "" && alternative.Ref == selected {
			return alternative.Value, nil
		}
		for _, value := range slices.Sorted(maps.Keys(schema.Discriminator.Mapping)) {
			if schema.Discriminator.Mapping[value].Ref == alternative.Ref {
				known = append(known, value)
			}
		}
	}
	return nil, []api.FieldError{{Location: location, Message: "must be one of " + strings.Join(known, ", ")}}
}

// propertyNameErrors enforces propertyNames, which kin-openapi's 3.0 visitor ignores.
// Errors don't repeat the name: it can be as long as the body.
func propertyNameErrors(location string, schema *openapi3.Schema, value any) []api.FieldError {
	var broken []api.FieldError
	for _, part := range schema.AllOf {
		broken = append(broken, propertyNameErrors(location, part.Value, value)...)
	}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if schema.Items != nil {
				broken = append(broken, propertyNameErrors(location, schema.Items.Value, item)...)
			}
		}
	case map[string]any:
		broken = append(broken, nameErrors(location, schema.PropertyNames, value)...)
		for name, child := range value {
			property := schema.Properties[name]
			if property == nil {
				property = schema.AdditionalProperties.Schema
			}
			if property != nil {
				broken = append(broken, propertyNameErrors(location+"."+name, property.Value, child)...)
			}
		}
	}
	return broken
}

// nameErrors returns each rule that one or more property names of an object break, once.
func nameErrors(location string, rule *openapi3.SchemaRef, object map[string]any) []api.FieldError {
	if rule == nil {
		return nil
	}
	var broken []api.FieldError
	for name := range object {
		err := rule.Value.VisitJSONString(name)
		if err == nil {
			continue
		}
		for _, one := range schemaErrors(location, err) {
			one.Message = "property names " + one.Message
			if !slices.Contains(broken, one) {
				broken = append(broken, one)
			}
		}
	}
	return broken
}

// restrictsNames reports whether propertyNameErrors can find anything in values of schema.
func restrictsNames(schema *openapi3.Schema) bool {
	if schema.PropertyNames != nil {
		return true
	}
	children := append([]*openapi3.SchemaRef{schema.Items, schema.AdditionalProperties.Schema}, schema.AllOf...)
	for _, property := range schema.Properties {
		children = append(children, property)
	}
	return slices.ContainsFunc(children, func(child *openapi3.SchemaRef) bool {
		return child != nil && restrictsNames(child.Value)
	})
}
