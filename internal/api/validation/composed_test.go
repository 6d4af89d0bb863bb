package validation_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/validation"
)

// TestErrorsOfAlternativesNameTheProperty: a oneOf with a discriminator never says only
// that no alternative matches.
func TestErrorsOfAlternativesNameTheProperty(t *testing.T) {
	t.Parallel()
	v := validator(t, "bulkUpdateConversations")
	id := `"` + uuid.NewString() + `"`
	ids := `"ids":[` + id + `]`
	for body, want := range map[string]string{
		`{` + ids + `,"action":"close"}`:                       "",
		`{` + ids + `,"action":"assign","operatorId":null}`:    "",
		`{` + ids + `,"action":"untag","tagIds":[` + id + `]}`: "",
		`{` + ids + `}`:                                        "body.action is required",
		`{` + ids + `,"action":"archive"}`:                     "body.action must be one of close, reopen, assign, tag, untag",
		`{` + ids + `,"action":7}`:                             "body.action must be one of close, reopen, assign, tag, untag",
		`{` + ids + `,"action":null}`:                          "body.action must be one of close, reopen, assign, tag, untag",
		`{"action":"close"}`:                                   "body.ids is required",
		`{"ids":[],"action":"reopen"}`:                         "body.ids must contain at least 1 item",
		`{"ids":["x"],"action":"reopen"}`:                      "body.ids.0 must be a UUID",
		`{` + ids + `,"action":"assign"}`:                      "body.operatorId is required",
		`{` + ids + `,"action":"assign","operatorId":"x"}`:     "body.operatorId must be a UUID",
		`{` + ids + `,"action":"tag"}`:                         "body.tagIds is required",
		`{` + ids + `,"action":"tag","tagIds":[]}`:             "body.tagIds must contain at least 1 item",
		`{` + ids + `,"action":"close","tagIds":[` + id + `]}`: "body.tagIds is not a known property",
		`{` + ids + `,"action":"untag","operatorId":null}`:     "body.tagIds is required; body.operatorId is not a known property",
		`{"action":"tag","ids":1}`:                             "body.ids must be an array; body.tagIds is required",
		`[]`:                                                   "body must be an object",
		`null`:                                                 "body must be an object",
	} {
		found := errorsOf(t, v, body)
		if want == "" {
			require.Empty(t, found, body)
			continue
		}
		require.ElementsMatch(t, strings.Split(want, "; "), found, body)
	}
}

func TestFieldNamesAreLimited(t *testing.T) {
	t.Parallel()
	create, update := validator(t, "createLead"), validator(t, "updateLead")
	for name, want := range map[string][]string{
		strings.Repeat("ż", 100):     nil,
		strings.Repeat("ż", 101):     {"body.fields property names must contain at most 100 characters"},
		strings.Repeat("x", 100_000): {"body.fields property names must contain at most 100 characters"},
		"":                           {"body.fields property names must contain at least 1 character"},
	} {
		require.Equal(t, want, errorsOf(t, create, `{"fields":{"name":"A","`+name+`":"x"}}`))
		require.Equal(t, want, errorsOf(t, update, `{"fields":{"name":"A","`+name+`":null}}`))
	}
}

// TestAPatternIsDescribed: clients see words instead of a regular expression.
func TestAPatternIsDescribed(t *testing.T) {
	t.Parallel()
	found := errorsOf(t, validator(t, "createWebhook"), `{"type":"WEBHOOK","url":"http://hooks.example.com","events":["lead.created"]}`)
	require.Equal(t, []string{"body.url must be an https URL"}, found)
}

// errorsOf returns the errors of a body as location and message.
func errorsOf(t *testing.T, v *validation.Validator, body string) []string {
	t.Helper()
	_, broken, err := v.ReadBody(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
	require.NoError(t, err, body)
	var found []string
	for _, one := range broken {
		found = append(found, one.Location+" "+one.Message)
	}
	return found
}
