package validation

import (
	"encoding/json"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
)

// ChannelSettings returns what checks the settings of a channel by the schemas of its type,
// also when a change of some of them was merged into the others.
func ChannelSettings(document *spec.Document) channel.Schema {
	var body *openapi3.Schema
	for _, operation := range document.Operations {
		if operation.ID == "createChannel" {
			body = operation.Body.Content.Get("application/json").Schema.Value
		}
	}
	return func(kind api.ChannelType, config json.RawMessage, credentials map[string]string) []provider.Invalid {
		schema, broken := variant(body, map[string]any{"type": string(kind)})
		if len(broken) > 0 {
			return invalidOf(broken)
		}
		var settings any
		if err := json.Unmarshal(config, &settings); err != nil {
			return []provider.Invalid{{Pointer: "/config", Message: "must be an object"}}
		}
		secrets := make(map[string]any, len(credentials))
		for name, value := range credentials {
			secrets[name] = value
		}
		options := append([]openapi3.SchemaValidationOption{openapi3.MultiErrors()}, formats...)
		for name, value := range map[string]any{"config": settings, "credentials": secrets} {
			if err := schema.Properties[name].Value.VisitJSON(value, options...); err != nil {
				broken = append(broken, schemaErrors("body."+name, err)...)
			}
		}
		return invalidOf(broken)
	}
}

func invalidOf(broken []api.FieldError) []provider.Invalid {
	invalid := make([]provider.Invalid, len(broken))
	for i, one := range broken {
		invalid[i] = provider.Invalid{Pointer: strings.ReplaceAll(strings.TrimPrefix(one.Location, "body"), ".", "/"), Message: one.Message}
	}
	return invalid
}
