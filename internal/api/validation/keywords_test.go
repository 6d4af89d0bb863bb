package validation_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/openapi"
)

// keywordCase is a schema, bodies that it accepts, and bodies that it rejects with one
// error: location and message.
type keywordCase struct {
	schema   string
	accepted []string
	rejected map[string]string
}

// keywordCases has a case for each keyword of the request schemas.
var keywordCases = map[string][]keywordCase{
	"type": {
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, []string{`{"a":""}`, `{}`}, map[string]string{`{"a":1}`: "body.a must be a string", `{"a":null}`: "body.a must not be null"}},
		{`{"type":"array","items":{"type":"integer"}}`, []string{`[]`, `[1,1.0,1e2,-0]`}, map[string]string{`[0,1.5]`: "body.1 must be an integer", `["1"]`: "body.0 must be an integer", `{}`: "body must be an array"}},
		{`{"type":"boolean"}`, []string{`true`, `false`}, map[string]string{`"true"`: "body must be true or false", `0`: "body must be true or false"}},
		{`{"type":["string","null"]}`, []string{`"a"`, `null`}, map[string]string{`1`: "body must be a string or null"}},
		{`{"type":"number"}`, []string{`0.1`, `-1e-9`}, map[string]string{`"0.1"`: "body must be a number", `true`: "body must be a number"}},
	},
	"required":             {{`{"type":"object","required":["a","b"],"properties":{"a":{},"b":{}}}`, []string{`{"a":1,"b":2}`}, map[string]string{`{"a":1}`: "body.b is required"}}},
	"additionalProperties": {{`{"type":"object","properties":{"a":{}},"additionalProperties":false}`, []string{`{"a":1}`}, map[string]string{`{"a":1,"A":1}`: "body.A is not a known property", `{"":1}`: "body. is not a known property"}}},
	"enum":                 {{`{"type":"string","enum":["NEW","WON"]}`, []string{`"NEW"`}, map[string]string{`"new"`: "body must be one of NEW, WON", `" NEW"`: "body must be one of NEW, WON"}}},
	"const":                {{`{"type":"string","const":"WEBHOOK"}`, []string{`"WEBHOOK"`}, map[string]string{`"CRM"`: "body must be one of WEBHOOK"}}},
	"minLength": {
		{`{"type":"string","minLength":1}`, []string{`" "`, `"a"`}, map[string]string{`""`: "body must contain at least 1 character"}},
		{`{"type":"string","minLength":2}`, []string{`"🦊🦊"`}, map[string]string{`"🦊"`: "body must contain at least 2 characters"}},
	},
	"maxLength":     {{`{"type":"string","maxLength":3}`, []string{`"żżż"`, `"🦊🦊🦊"`}, map[string]string{`"abcd"`: "body must contain at most 3 characters"}}},
	"minItems":      {{`{"type":"array","minItems":1,"items":{}}`, []string{`[null]`}, map[string]string{`[]`: "body must contain at least 1 item"}}},
	"maxItems":      {{`{"type":"array","maxItems":2,"items":{}}`, []string{`[1,2]`}, map[string]string{`[1,2,3]`: "body must contain at most 2 items"}}},
	"minProperties": {{`{"type":"object","minProperties":1}`, []string{`{"a":1}`}, map[string]string{`{}`: "body must contain at least 1 property"}}},
	"maxProperties": {{`{"type":"object","maxProperties":1}`, []string{`{"a":1}`}, map[string]string{`{"a":1,"b":2}`: "body must contain at most 1 property"}}},
	"minimum":       {{`{"type":"number","minimum":0}`, []string{`0`, `-0`, `0.0`}, map[string]string{`-0.001`: "body must be at least 0"}}},
	"maximum":       {{`{"type":"number","maximum":2}`, []string{`2`, `2.0`}, map[string]string{`2.0001`: "body must be at most 2", `1e300`: "body must be at most 2"}}},
	"pattern": {
		{`{"type":"string","pattern":"^[a-z]+$"}`, []string{`"abc"`}, map[string]string{`"aBc"`: "body must match ^[a-z]+$", `"abc\n"`: "body must match ^[a-z]+$"}},
		{`{"type":"string","pattern":"\\S"}`, []string{`" a "`}, map[string]string{`" \t\n"`: "body must not be blank"}},
	},
	"format": {
		{`{"type":"string","format":"uuid"}`, []string{`"019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"`, `"019684AA-5E00-7C3A-9F21-6A0B5F1D2E01"`}, map[string]string{
			`"019684aa5e007c3a9f216a0b5f1d2e01"`: "body must be a UUID", `"{019684aa-5e00-7c3a-9f21-6a0b5f1d2e01}"`: "body must be a UUID", `"019684aa-5e00-7c3a-9f21-6a0b5f1d2e0g"`: "body must be a UUID",
		}},
		{`{"type":"string","format":"email"}`, []string{`"o'x+y@b.example"`}, map[string]string{`"Anna <a@b.c>"`: "body must be an email address", `"a@b@c"`: "body must be an email address", `"a@"`: "body must be an email address"}},
		{`{"type":"string","format":"uri"}`, []string{`"https://a.b/c?d#e"`}, map[string]string{`"a.b/c"`: "body must be an absolute URL", `"https:"`: "body must be an absolute URL", `"http://a b"`: "body must be an absolute URL"}},
		{`{"type":"string","format":"date-time"}`, []string{`"2026-04-30T12:00:00.123456+02:00"`}, map[string]string{
			`"2026-02-30T12:00:00Z"`: "body must be a date and time in RFC 3339 format, such as 2026-04-30T12:00:00Z",
			`"2026-04-30 12:00:00"`:  "body must be a date and time in RFC 3339 format, such as 2026-04-30T12:00:00Z",
		}},
	},
	"propertyNames": {{`{"type":"object","propertyNames":{"maxLength":2}}`, []string{`{"ab":1}`}, map[string]string{`{"abc":1}`: "body property names must contain at most 2 characters"}}},
	"items":         {{`{"type":"object","properties":{"ids":{"type":"array","items":{"type":"object","properties":{"n":{"type":"integer"}}}}}}`, []string{`{"ids":[{"n":1}]}`}, map[string]string{`{"ids":[{"n":1},{"n":"x"}]}`: "body.ids.1.n must be an integer"}}},
	"properties":    {{`{"type":"object","properties":{"a.b":{"type":"string"},"c/d":{"type":"string"}}}`, []string{`{"a.b":"","c/d":""}`}, map[string]string{`{"c/d":1}`: "body.c/d must be a string"}}},
}

func TestKeywords(t *testing.T) {
	t.Parallel()
	for keyword, cases := range keywordCases {
		for _, tt := range cases {
			loaded, err := spec.Load(document(tt.schema))
			require.NoError(t, err, tt.schema)
			v := validation.New(loaded.Operations[0])
			for _, body := range tt.accepted {
				require.Empty(t, errorsOf(t, v, body), "%s: %s", keyword, body)
			}
			for body, want := range tt.rejected {
				require.Equal(t, []string{want}, errorsOf(t, v, body), "%s: %s", keyword, body)
			}
		}
	}
}

// composed are keywords that combine schemas. They are tested by
// TestErrorsOfAlternativesNameTheProperty and TestValidationMatchesJSONSchema2020.
var composed = []string{"oneOf", "anyOf", "allOf", "discriminator", "default"}

// annotations do not restrict values.
var annotations = []string{"$ref", "title", "description", "example", "examples", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding"}

// TestEveryKeywordOfTheDocumentIsTested collects the keywords of all request schemas.
func TestEveryKeywordOfTheDocumentIsTested(t *testing.T) {
	t.Parallel()
	var root map[string]any
	require.NoError(t, json.Unmarshal(openapi.JSON, &root))
	found := map[string]bool{}
	for _, item := range root["paths"].(map[string]any) {
		for _, defined := range item.(map[string]any) {
			operation, ok := defined.(map[string]any)
			if !ok {
				continue
			}
			parameters, _ := operation["parameters"].([]any)
			for _, parameter := range parameters {
				collect(root, follow(root, parameter)["schema"], found, map[string]bool{})
			}
			if operation["requestBody"] != nil {
				for _, media := range follow(root, operation["requestBody"])["content"].(map[string]any) {
					collect(root, media.(map[string]any)["schema"], found, map[string]bool{})
				}
			}
		}
	}
	require.Greater(t, len(found), 15, slices.Sorted(maps.Keys(found)))
	for keyword := range found {
		known := keywordCases[keyword] != nil || slices.Contains(composed, keyword) || slices.Contains(annotations, keyword) || strings.HasPrefix(keyword, "x-")
		require.True(t, known, "the keyword %s has no test", keyword)
	}
}

func follow(root map[string]any, value any) map[string]any {
	in, _ := value.(map[string]any)
	ref, ok := in["$ref"].(string)
	if !ok {
		return in
	}
	target := root
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		target = target[name].(map[string]any)
	}
	return follow(root, target)
}

// collect adds the keywords of a schema and its subschemas to found.
func collect(root map[string]any, value any, found, seen map[string]bool) {
	in, ok := value.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := in["$ref"].(string); ok {
		if !seen[ref] {
			seen[ref] = true
			collect(root, follow(root, in), found, seen)
		}
		return
	}
	for keyword, of := range in {
		found[keyword] = true
		switch keyword {
		case "properties":
			for _, property := range of.(map[string]any) {
				collect(root, property, found, seen)
			}
		case "oneOf", "anyOf", "allOf":
			for _, part := range of.([]any) {
				collect(root, part, found, seen)
			}
		case "items", "additionalProperties", "propertyNames", "not":
			collect(root, of, found, seen)
		}
	}
}

// TestMalformedBodyIsExplained checks the detail of errors in the JSON itself.
func TestMalformedBodyIsExplained(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	for body, want := range map[string]string{
		`{"fields":{"a":"b"},"fields":{}}`:         "The body contains an object with a duplicate property.",
		`{"fields":{"a":"b","\u0061":"c"}}`:        "The body contains an object with a duplicate property.",
		`{"fields":{"a":"\u0000"}}`:                "The body must not contain NUL characters.",
		`{"fields":{"a\u0000":"b"}}`:               "The body must not contain NUL characters.",
		`{"fields":{"a":"b"}}{}`:                   "The body is not valid JSON. The error is at byte 20.",
		`{"fields":{"a":"b"}} x`:                   "The body is not valid JSON. The error is at byte 21.",
		`{"fields" "a"}`:                           "The body is not valid JSON. The error is at byte 10.",
		`{"fields":{"a":"\ud83e"}}`:                "The body is not valid JSON.",
		`{"fields":{"a":"\udd8a\ud83e"}}`:          "The body is not valid JSON.",
		"{\"fields\":{\"a\":\"\x01\"}}":            "The body is not valid JSON.",
		`{"fields":{"a":01}}`:                      "The body is not valid JSON.",
		`{"fields":{"a":.5}}`:                      "The body is not valid JSON.",
		`{"fields":{"a":+1}}`:                      "The body is not valid JSON.",
		`{"fields":/**/{}}`:                        "The body is not valid JSON.",
		strings.Repeat(`[`, 10_001):                "The body is not valid JSON.",
		`{"secret-value":"secret-value"`:           "The body is not valid JSON.",
		`{"fields":{"secret-value":"b"},"fields":`: "The body contains an object with a duplicate property.",
	} {
		_, _, err := v.ReadBody(httptest.NewRequest(http.MethodPost, "/leads", strings.NewReader(body)))
		requireCode(t, err, api.ErrorCodeMalformedRequest)
		refusal, _ := err.(*problem.Error) //nolint:errorlint // requireCode has checked the type
		require.True(t, strings.HasPrefix(refusal.Detail, want), "%.50s: %s", body, refusal.Detail)
		require.NotContains(t, refusal.Detail, "secret-value")
	}
}

func TestUnicodeIsAccepted(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	for _, text := range []string{`"\ud83e\udd8a"`, `"🦊"`, `"\\u0000"`, `"\u202e"`, `"e\u0301"`, `"\uffff"`, `"\/"`} {
		require.Empty(t, errorsOf(t, v, `{"fields":{"note":`+text+`}}`), text)
	}
	require.Empty(t, errorsOf(t, v, "\t\n\r {\"fields\" : {\"a\":\"b\"}}\n\n"), "whitespace around the value")
}

// TestMessagesDoNotContainValues: values may be secrets, and messages are logged.
func TestMessagesDoNotContainValues(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	for id, body := range map[string]string{
		"createLead":    `{"fields":{"email":"` + secret + `","phone":"` + secret + `"},"source":["` + secret + `"]}`,
		"createWebhook": `{"type":"` + secret + `","url":"` + secret + `","events":"` + secret + `"}`,
		"createAgent":   `{"name":["` + secret + `"],"temperature":"` + secret + `","maxTokens":"` + secret + `"}`,
	} {
		found := errorsOf(t, validator(t, id), body)
		require.GreaterOrEqual(t, len(found), 3, id)
		require.NotContains(t, strings.Join(found, "\n"), secret, id)
	}
}

// TestValidatedValueIsWhatWasChecked: handlers read the value that was validated.
func TestValidatedValueIsWhatWasChecked(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	const raw = `{"fields":{"name":"Anna"},"source":"form"}`
	body, invalid, err := v.ReadBody(httptest.NewRequest(http.MethodPost, "/leads", strings.NewReader(raw)))
	require.NoError(t, err)
	require.Empty(t, invalid)
	require.JSONEq(t, raw, string(body.Raw))
	require.Equal(t, map[string]any{"fields": map[string]any{"name": "Anna"}, "source": "form"}, body.ValidatedValue())
	again := make([]byte, len(raw))
	n, err := body.Read(again)
	require.NoError(t, err)
	require.JSONEq(t, raw, string(again[:n]), "the body can still be read")
	require.NoError(t, body.Close())
}
