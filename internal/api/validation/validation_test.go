package validation_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/validation"
)

func validator(t testing.TB, operationID string) *validation.Validator {
	t.Helper()
	document, err := spec.Published()
	require.NoError(t, err)
	for _, operation := range document.Operations {
		if operation.ID == operationID {
			return validation.New(operation)
		}
	}
	require.Fail(t, "no such operation", operationID)
	return nil
}

func TestParametersAreValidated(t *testing.T) {
	t.Parallel()
	v := validator(t, "listConversations")
	id := uuid.NewString()
	for query, want := range map[string]string{
		"":                              "",
		"limit=1&status=OPEN":           "",
		"limit=200&agentId=" + id:       "",
		"tagIds=" + id + "," + id:       "",
		"tagIds=" + id + "%2C" + id:     "",
		"limit=0":                       "query.limit must be at least 1",
		"limit=201":                     "query.limit must be at most 200",
		"limit=ten":                     "query.limit must be an integer",
		"limit=1.5":                     "query.limit must be an integer",
		"limit=1e2":                     "query.limit must be an integer",
		"limit=99999999999999999999999": "query.limit must be an integer",
		"limit=":                        "query.limit must not be empty",
		"limit":                         "query.limit must not be empty",
		"limit=1&limit=1":               "query.limit must not be repeated",
		"Limit=1":                       "query.Limit is not a parameter of this operation",
		"limit[]=1":                     "query.limit[] is not a parameter of this operation",
		"status=open":                   "query.status must be one of OPEN, HANDED_OFF, CLOSED",
		"agentId=" + strings.ReplaceAll(id, "-", ""): "query.agentId must be a UUID",
		"agentId={" + id + "}":                       "query.agentId must be a UUID",
		"agentId=urn:uuid:" + id:                     "query.agentId must be a UUID",
		"tagIds=" + id + ",,":                        "query.tagIds.1 must be a UUID",
		"cursor=" + strings.Repeat("a", 513):         "query.cursor must contain at most 512 characters",
	} {
		r := httptest.NewRequest(http.MethodGet, "/conversations?"+query, nil)
		broken, err := v.Parameters(r, nil)
		require.NoError(t, err, query)
		if want == "" {
			require.Empty(t, broken, query)
			continue
		}
		require.NotEmpty(t, broken, query)
		require.Equal(t, want, broken[0].Location+" "+broken[0].Message, query)
	}
}

func TestMalformedQueryIsRejected(t *testing.T) {
	t.Parallel()
	v := validator(t, "listLeads")
	for _, query := range []string{"limit=%", "limit=%zz", "status=%ff", "%ff=1", "status=%00", "limit=1;status=NEW"} {
		r := httptest.NewRequest(http.MethodGet, "/leads", nil)
		r.URL.RawQuery = query
		_, err := v.Parameters(r, nil)
		requireCode(t, err, api.ErrorCodeMalformedRequest)
	}
}

func TestHeadersAreValidated(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	for want, values := range map[string][]string{
		"":                                    {"key-1"},
		"must not be repeated":                {"a", "b"},
		"must not be empty":                   {""},
		"must match ^[!-~]+$":                 {"a b"},
		"must contain at most 255 characters": {strings.Repeat("a", 256)},
	} {
		r := httptest.NewRequest(http.MethodPost, "/leads", nil)
		r.Header["Idempotency-Key"] = values
		broken, err := v.Parameters(r, nil)
		require.NoError(t, err)
		if want == "" {
			require.Empty(t, broken)
		} else {
			require.Equal(t, []api.FieldError{{Location: "header.Idempotency-Key", Message: want}}, broken)
		}
	}
}

func requireCode(t *testing.T, err error, code api.ErrorCode) {
	t.Helper()
	var refusal *problem.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, code, refusal.Code)
}

func TestMalformedBodyIsRejected(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	for _, body := range []string{
		"", " ", "{", `{"fields":{"a":"b"}}x`, `{"fields":{"a":"b"}} {}`, `{"fields":{"a":"b"}}` + "\x00", `{'fields':1}`, `{"fields":{"a":"b",}}`,
		`{"fields":{"a":"b","a":"c"}}`, `{"fields":{"a":"b"},"fields":{"a":"c"}}`, `{"fields":{"a":"b","\u0061":"c"}}`,
		"{\"fields\":{\"a\":\"\xff\"}}", `{"fields":{"a":"\ud800"}}`, `{"fields":{"a":"\u0000"}}`, `{"fields":{"\u0000":"a"}}`,
		`{"fields":NaN}`, `{"fields":1e999}`, "\ufeff{}", strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 20_000),
	} {
		r := httptest.NewRequest(http.MethodPost, "/leads", strings.NewReader(body))
		_, _, err := v.ReadBody(r)
		requireCode(t, err, api.ErrorCodeMalformedRequest)
	}
	// After an escaped backslash, u0000 is not an escape.
	r := httptest.NewRequest(http.MethodPost, "/leads", strings.NewReader(`{"fields":{"a":"\\u0000"}}`))
	_, broken, err := v.ReadBody(r)
	require.NoError(t, err)
	require.Empty(t, broken)
}

func TestMediaTypeMustBeDocumented(t *testing.T) {
	t.Parallel()
	v := validator(t, "createLead")
	for media, taken := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON;charset=UTF-8": true,
		"": false, "text/plain": false, "application/json; charset=latin1": false, "application/xml": false, "json": false, "application/*": false,
		"application/x-www-form-urlencoded": false, "application/merge-patch+json": false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/leads", nil)
		r.Header.Set("Content-Type", media)
		require.Equal(t, taken, v.MediaType(r) == nil, media)
	}
	r := httptest.NewRequest(http.MethodPost, "/leads", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	requireCode(t, v.MediaType(r), api.ErrorCodeUnsupportedMediaType)
}

// BenchmarkParameters measures a GET with two parameters.
func BenchmarkParameters(b *testing.B) {
	v := validator(b, "listLeads")
	r := httptest.NewRequest(http.MethodGet, "/leads?status=WON&limit=50", nil)
	b.ReportAllocs()
	for b.Loop() {
		broken, err := v.Parameters(r, nil)
		require.NoError(b, err)
		require.Empty(b, broken)
	}
}

// BenchmarkSmallBody measures a POST of one lead.
func BenchmarkSmallBody(b *testing.B) {
	benchmarkBody(b, "createLead", `{"fields":{"name":"Anna Nowak","email":"anna@example.com","phone":"+48 111 222 333"},"source":"external-form"}`)
}

// BenchmarkTwoHundredIDs measures the largest bulk action.
func BenchmarkTwoHundredIDs(b *testing.B) {
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = `"` + uuid.NewString() + `"`
	}
	benchmarkBody(b, "bulkUpdateConversations", `{"action":"close","ids":[`+strings.Join(ids, ",")+`]}`)
}

func benchmarkBody(b *testing.B, operationID, body string) {
	b.Helper()
	v := validator(b, operationID)
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Body: http.NoBody}
		r.Body = readCloser{strings.NewReader(body)}
		_, broken, err := v.ReadBody(r)
		require.NoError(b, err)
		require.Empty(b, broken)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
