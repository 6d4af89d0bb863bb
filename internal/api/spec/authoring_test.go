package spec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/openapi"
)

const source = "../../../openapi/src"

// TestOperationsAreShort: an operation is at most 80 lines of source, and a file at most
// 300. Longer parts belong in components.
func TestOperationsAreShort(t *testing.T) {
	t.Parallel()
	start := regexp.MustCompile(`(?m)^(get|post|patch|delete):\n`)
	operations := 0
	for _, file := range sources(t) {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(string(raw), "\n"), 300, file)
		for _, operation := range start.Split(string(raw), -1)[1:] {
			operations++
			require.LessOrEqual(t, strings.Count(operation, "\n"), 80, file)
		}
	}
	document := published(t)
	require.Equal(t, len(document.All())+len(document.OpenAPI.Webhooks), operations)
}

func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(source, pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	return files
}

// TestGeneratorsUnderstandTheDocument rejects what breaks client generators: keywords
// next to $ref, and enums without a name. An enum of one value, which is how some generators
// understand a constant, needs none.
func TestGeneratorsUnderstandTheDocument(t *testing.T) {
	t.Parallel()
	var document any
	require.NoError(t, json.Unmarshal(openapi.JSON, &document))
	visit(document, nil, func(path []string, object map[string]any) {
		if _, ok := object["$ref"].(string); ok {
			require.Len(t, object, 1, "a $ref with siblings: %v", path)
		}
		if values, ok := object["enum"].([]any); ok && len(values) > 1 {
			require.True(t, len(path) == 3 && path[0] == "components" && path[1] == "schemas", "an inline enum: %v", path)
		}
	})
}

// visit calls f for each object, without those in examples.
func visit(value any, path []string, f func(path []string, object map[string]any)) {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			visit(item, append(path, strconv.Itoa(i)), f)
		}
	case map[string]any:
		f(path, value)
		for name, child := range value {
			if name != "value" && name != "examples" {
				visit(child, append(slices.Clone(path), name), f)
			}
		}
	}
}

// TestWebhooksHaveTheirOwnTag: generators put the operations of a tag into one class.
func TestWebhooksHaveTheirOwnTag(t *testing.T) {
	t.Parallel()
	document := published(t)
	used := map[string]bool{}
	for _, operation := range document.All() {
		used[operation.Definition.Tags[0]] = true
	}
	for name, hook := range document.OpenAPI.Webhooks {
		require.Len(t, hook.Post.Tags, 1, name)
		require.False(t, used[hook.Post.Tags[0]], name)
	}
}

// TestEveryInputStringHasAMaximumLength covers parameters and bodies, down to the names of
// properties that clients choose.
func TestEveryInputStringHasAMaximumLength(t *testing.T) {
	t.Parallel()
	for _, operation := range published(t).All() {
		for _, parameter := range operation.Parameters {
			requireBounded(t, parameter.Schema, operation.ID+" "+parameter.Name, map[*openapi3.Schema]bool{})
		}
		if operation.Body != nil && operation.Body.Content["application/json"] != nil {
			requireBounded(t, operation.Body.Content["application/json"].Schema, operation.ID+" body", map[*openapi3.Schema]bool{})
		}
	}
}

func requireBounded(t *testing.T, ref *openapi3.SchemaRef, path string, seen map[*openapi3.Schema]bool) {
	t.Helper()
	if ref == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if s.Type.Includes("string") {
		bounded := s.MaxLength != nil || len(s.Enum) > 0 || s.Const != nil || slices.Contains([]string{"uuid", "date-time"}, s.Format)
		require.True(t, bounded, "%s has no maxLength", path)
	}
	if s.Type.Includes("array") {
		require.NotNil(t, s.MaxItems, "%s has no maxItems", path)
	}
	if s.AdditionalProperties.Schema != nil {
		require.NotNil(t, s.MaxProps, "%s has no maxProperties", path)
		require.NotNil(t, s.PropertyNames, "%s has no propertyNames", path)
		require.NotNil(t, s.PropertyNames.Value.MaxLength, "%s: propertyNames has no maxLength", path)
	}
	requireBounded(t, s.Items, path+"[]", seen)
	requireBounded(t, s.AdditionalProperties.Schema, path+".*", seen)
	for name, property := range s.Properties {
		requireBounded(t, property, path+"."+name, seen)
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf, s.AnyOf) {
		requireBounded(t, part, path, seen)
	}
}
