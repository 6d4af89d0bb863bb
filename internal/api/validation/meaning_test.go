package validation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
)

// document returns a 3.1 document with one operation whose body has a schema.
func document(schema string) []byte {
	return fmt.Appendf(nil, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},
		"x-rate-limits":{"default":{"requests":1,"windowSeconds":1,"scope":"workspace"},"anonymous":{"requests":1,"windowSeconds":1,"scope":"ip"},"sign-in":{"requests":1,"windowSeconds":1,"scope":"ip"}},
		"components":{"schemas":{"ErrorCode":{"type":"string","enum":[]},"Scope":{"type":"string","enum":["leads:read"],"x-scope-descriptions":{"leads:read":"Read leads."}}}},
		"paths":{"/x":{"patch":{"operationId":"x","x-rate-limit":"default","x-sdk-method":"x.update","security":[],
			"requestBody":{"required":true,"content":{"application/json":{"schema":%s}}},"responses":{"204":{"description":"ok"}}}}}}`, schema)
}

// accepts reports whether a body is valid.
func accepts(t *testing.T, v *validation.Validator, body string) bool {
	t.Helper()
	r := httptest.NewRequest(http.MethodPatch, "/x", strings.NewReader(body))
	_, broken, err := v.ReadBody(r)
	require.NoError(t, err, body)
	return len(broken) == 0
}

// TestValidationMatchesJSONSchema2020 compares accepted and rejected values with a table
// and with a full JSON Schema 2020-12 validator.
func TestValidationMatchesJSONSchema2020(t *testing.T) {
	t.Parallel()
	for schema, values := range map[string]struct{ accepted, rejected []string }{
		`{"type":["string","null"],"minLength":2}`:                                   {[]string{`"ab"`, `null`, `"🦊🦊"`}, []string{`"a"`, `"🦊"`, `1`, `[]`, `false`}},
		`{"type":["integer","null"],"minimum":0,"maximum":100}`:                      {[]string{`0`, `100`, `null`, `1.0`, `1e2`}, []string{`-1`, `101`, `1.5`, `"1"`, `1e3`}},
		`{"type":["string","integer"]}`:                                              {[]string{`"a"`, `7`}, []string{`null`, `1.5`, `true`}},
		`{"const":"WEBHOOK"}`:                                                        {[]string{`"WEBHOOK"`}, []string{`"webhook"`, `null`, `1`}},
		`{"const":7}`:                                                                {[]string{`7`, `7.0`}, []string{`8`, `"7"`}},
		`{"type":"object","properties":{"type":{"const":"A"}}}`:                      {[]string{`{"type":"A"}`, `{}`}, []string{`{"type":"B"}`, `{"type":null}`}},
		`{"type":"number","exclusiveMinimum":0}`:                                     {[]string{`0.1`, `1`}, []string{`0`, `-1`}},
		`{"type":"number","exclusiveMaximum":5,"minimum":1}`:                         {[]string{`1`, `4.9`}, []string{`5`, `0`}},
		`{"oneOf":[{"type":"string"},{"type":"null"}]}`:                              {[]string{`"a"`, `null`}, []string{`1`}},
		`{"anyOf":[{"type":"integer","minimum":5},{"type":"string","maxLength":1}]}`: {[]string{`5`, `"a"`}, []string{`4`, `"ab"`, `null`}},
		`{"type":"array","items":{"type":"string","format":"uuid"},"minItems":1,"maxItems":2,"uniqueItems":true}`: {
			[]string{`["019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"]`},
			[]string{`[]`, `["x"]`, `[1]`, `["019684aa-5e00-7c3a-9f21-6a0b5f1d2e01","019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"]`, `{}`},
		},
		`{"type":"object","minProperties":1,"maxProperties":2,"properties":{"a":{"type":"string"}},"additionalProperties":{"type":["integer","null"]}}`: {
			[]string{`{"a":"x"}`, `{"b":1}`, `{"a":"x","b":null}`}, []string{`{}`, `{"a":1}`, `{"b":"x"}`, `{"a":"x","b":1,"c":2}`},
		},
		`{"type":"object","required":["a"],"properties":{"a":{}},"additionalProperties":false}`: {[]string{`{"a":null}`, `{"a":[1]}`}, []string{`{}`, `{"a":1,"b":2}`, `null`}},
		`{"type":"object","propertyNames":{"maxLength":2,"pattern":"^a"}}`:                      {[]string{`{}`, `{"a":1,"ab":2}`}, []string{`{"b":1}`, `{"a":1,"abc":2}`}},
		`{"type":"array","items":{"allOf":[{"type":"object","additionalProperties":{"type":["object","null"],"propertyNames":{"maxLength":1}}}]}}`: {
			[]string{`[]`, `[{"long":{"a":1}}]`, `[{"long":null}]`}, []string{`[{"long":{"ab":1}}]`},
		},
		`{"type":"string","pattern":"^a+$","maxLength":3}`:                                       {[]string{`"a"`, `"aaa"`}, []string{`""`, `"b"`, `"aaaa"`}},
		`{"type":"string","enum":["A","B"]}`:                                                     {[]string{`"A"`}, []string{`"a"`, `null`, `1`}},
		`{"type":["string","null"],"enum":["A",null]}`:                                           {[]string{`"A"`, `null`}, []string{`"B"`}},
		`{"type":"string","format":"email"}`:                                                     {[]string{`"a@b.c"`, `"o'x+y@b.example"`}, []string{`"a"`, `"a@"`, `"A <a@b.c>"`, `" a@b.c"`}},
		`{"type":"string","format":"uri"}`:                                                       {[]string{`"https://a.b/c?d#e"`}, []string{`"/a"`, `"a.b"`, `"https://"`}},
		`{"type":"string","format":"date-time"}`:                                                 {[]string{`"2026-04-30T12:00:00Z"`, `"2026-04-30T12:00:00.123+02:00"`}, []string{`"2026-04-30"`, `"2026-13-01T00:00:00Z"`}},
		`{"allOf":[{"type":"object","required":["a"]},{"properties":{"a":{"type":"boolean"}}}]}`: {[]string{`{"a":true}`}, []string{`{}`, `{"a":1}`}},
		`{"type":"integer","not":{"const":7}}`:                                                   {[]string{`1`}, []string{`7`, `"a"`, `null`}},
		`{}`:                                                                                     {[]string{`1`, `null`, `{}`}, nil},
		`{"minLength":2}`:                                                                        {[]string{`"ab"`, `null`, `1`}, []string{`"a"`}},
		`{"enum":["A",null]}`:                                                                    {[]string{`"A"`, `null`}, []string{`"B"`}},
		`{"type":["string","null"],"enum":["A"]}`:                                                {[]string{`"A"`}, []string{`null`}},
		`{"type":["string","null"],"const":"A"}`:                                                 {[]string{`"A"`}, []string{`null`, `"B"`}},
	} {
		loaded, err := spec.Load(document(schema))
		require.NoError(t, err, schema)
		validator := validation.New(loaded.Operations[0])
		var full openapi3.Schema // before it is translated
		require.NoError(t, json.Unmarshal([]byte(schema), &full))
		for expected, bodies := range map[bool][]string{true: values.accepted, false: values.rejected} {
			for _, body := range bodies {
				require.Equal(t, expected, accepts(t, validator, body), "%s: %s", schema, body)
				if strings.Contains(schema, `"format"`) {
					continue // formats are annotations in 2020-12
				}
				var value any
				require.NoError(t, json.Unmarshal([]byte(body), &value))
				require.Equal(t, expected, full.VisitJSON(value, openapi3.EnableJSONSchema2020()) == nil, "2020-12, %s: %s", schema, body)
			}
		}
	}
}

// TestLoadRejectsUnsupportedKeywords checks that no keyword is silently ignored.
func TestLoadRejectsUnsupportedKeywords(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"patternProperties":{"^a":{}}}`, `{"anyOf":[{"propertyNames":{"maxLength":1}}]}`, `{"unevaluatedProperties":false}`, `{"dependentRequired":{"a":["b"]}}`,
		`{"prefixItems":[{}]}`, `{"contains":{"const":1}}`, `{"if":{"const":1},"then":false}`,
		`{"type":"object","properties":{"a":{"type":"array","items":{"contains":{"const":1}}}}}`,
		`{"anyOf":[{"unevaluatedItems":false}]}`, `{"type":["string","null"],"anyOf":[{"const":"a"}]}`, `{"not":{"type":"string"}}`,
	} {
		_, err := spec.Load(document(schema))
		require.ErrorContains(t, err, "is not enforced", schema)
	}
}

// TestValidatorsAgreeOnPublishedBodies mutates each example of the document and compares
// the fast validator with the full one.
func TestValidatorsAgreeOnPublishedBodies(t *testing.T) {
	t.Parallel()
	published, err := spec.Published()
	require.NoError(t, err)
	tried := 0
	for _, operation := range published.Operations {
		if operation.Body == nil {
			continue
		}
		media := operation.Body.Content["application/json"]
		if media == nil {
			continue
		}
		for _, example := range media.Examples {
			raw, err := json.Marshal(example.Value.Value)
			require.NoError(t, err)
			for _, mutated := range mutate(t, raw) {
				var value any
				require.NoError(t, json.Unmarshal(mutated, &value))
				fast := media.Schema.Value.VisitJSON(value) == nil
				full := media.Schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()) == nil
				require.Equal(t, full, fast, "%s: %s", operation.ID, mutated)
				tried++
			}
		}
	}
	require.Greater(t, tried, 200)
}

// mutate returns an example, and variants with a property removed, added or replaced by a
// value of each type.
func mutate(t *testing.T, raw []byte) [][]byte {
	t.Helper()
	var object map[string]any
	require.NoError(t, json.Unmarshal(raw, &object))
	all := [][]byte{raw, []byte(`null`), []byte(`[]`), []byte(`"x"`), []byte(`{}`)}
	add := func(o map[string]any) {
		mutated, err := json.Marshal(o)
		require.NoError(t, err)
		all = append(all, mutated)
	}
	for name := range object {
		without := maps.Clone(object)
		delete(without, name)
		add(without)
		for _, value := range []any{nil, true, 1.5, -1, 7, 1e9, "", "x", []any{}, []any{"x"}, []any{1}, map[string]any{}, map[string]any{"a": "b"}, map[string]any{"a": nil}} {
			changed := maps.Clone(object)
			changed[name] = value
			add(changed)
		}
	}
	extra := maps.Clone(object)
	extra["surprise"] = 1
	add(extra)
	return all
}
