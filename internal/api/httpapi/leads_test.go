package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/testing/apitest"
)

// setup starts a server with an empty workspace and a token with every scope.
func setup(t *testing.T) (*apitest.Server, string) {
	t.Helper()
	s := apitest.New(t, apitest.Options{})
	return s, s.Token(t, s.Workspace(t, "acme"))
}

func createLead(t *testing.T, s *apitest.Server, token, body string) api.Lead {
	t.Helper()
	return apitest.Decode[api.Lead](t, s.Post(t, token, "/leads", body).Want(t, http.StatusCreated))
}

func TestCreateLeadReturnsStoredLead(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	response := s.Post(t, token, "/leads", `{"fields":{"name":"Łukasz 🦊","email":"anna@example.com","phone":"+48 111 222 333","shoe size":"39"},"source":"external-form"}`)
	created := apitest.Decode[map[string]any](t, response.Want(t, http.StatusCreated))
	require.Equal(t, map[string]any{
		"id": created["id"], "status": "NEW", "score": nil, "conversationId": nil, "crmExternalId": nil, "source": "external-form",
		"fields":    map[string]any{"name": "Łukasz 🦊", "email": "anna@example.com", "phone": "+48 111 222 333", "shoe size": "39"},
		"createdAt": "2026-04-30T12:00:00.000Z", "updatedAt": "2026-04-30T12:00:00.000Z",
	}, created)
	require.Equal(t, fmt.Sprintf("/api/v1/leads/%s", created["id"]), response.Header.Get("Location"))
	id, err := uuid.Parse(created["id"].(string))
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), id.Version())
	require.JSONEq(t, string(response.Body), string(s.Get(t, token, "/leads/"+id.String()).Want(t, http.StatusOK).Body))
}

func TestCreateLeadRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	many := make(map[string]string, 51)
	for i := range 51 {
		many[fmt.Sprint("field ", i)] = "x"
	}
	tooMany, err := json.Marshal(map[string]any{"fields": many})
	require.NoError(t, err)
	for body, want := range map[string]string{
		`{}`:                                     "body.fields is required",
		`{"fields":{}}`:                          "body.fields must contain at least 1 property",
		string(tooMany):                          "body.fields must contain at most 50 properties",
		`{"fields":{"name":1}}`:                  "body.fields.name must be a string",
		`{"fields":{"name":null}}`:               "body.fields.name must not be null",
		`{"fields":{"email":"anna"}}`:            "body.fields.email must be an email address",
		`{"fields":{"phone":"call me"}}`:         `body.fields.phone must match ^\+?[0-9(][0-9 ()./-]{3,30}[0-9]( ?(x|ext\.?) ?[0-9]{1,6})?$`,
		`{"fields":{"x":{"y":1}}}`:               "body.fields.x must be a string",
		`{"fields":{"name":"A"},"score":5}`:      "body.score is not a known property",
		`{"fields":{"name":"A"},"Source":"f"}`:   "body.Source is not a known property",
		`{"fields":{"name":"A"},"source":""}`:    "body.source must contain at least 1 character",
		`{"fields":{"name":"A"},"source":null}`:  "body.source must not be null",
		`[]`:                                     "body must be an object",
		`{"fields":{"email":"a","phone":"b"}}`:   "body.fields.email must be an email address",
		`{"fields":{"name":"A"},"status":"NEW"}`: "body.status is not a known property",
	} {
		problem := s.Post(t, token, "/leads", body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
		first := (*problem.Errors)[0]
		require.Equal(t, want, first.Location+" "+first.Message, body)
	}
	require.JSONEq(t, "[]", string(s.Get(t, token, "/leads").Want(t, http.StatusOK).Body), "nothing was stored")
}

func TestCreateLeadAcceptsPhoneFormats(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	for phone, status := range map[string]int{
		"+48 111 222 333": 201, "111222333": 201, "(022) 123-45-67": 201, "+1 (555) 123-4567 ext. 89": 201, "022/123.45.67": 201, "+442071838750x12": 201,
		"12345": 201, "1234": 400, "+": 400, "phone": 400, "111 222 333 and more": 400, "++48 111 222 333": 400,
	} {
		s.Post(t, token, "/leads", map[string]any{"fields": map[string]string{"phone": phone}}).Want(t, status)
	}
}

func TestAllValidationErrorsAreListed(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	problem := s.Post(t, token, "/leads?a=1&b=2", `{"fields":{"email":"a","phone":"b","name":7},"source":"","extra":true}`).
		Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	var locations []string
	for _, broken := range *problem.Errors {
		locations = append(locations, broken.Location)
	}
	require.ElementsMatch(t, []string{"query.a", "query.b", "body.fields.email", "body.fields.phone", "body.fields.name", "body.source", "body.extra"}, locations)
}

func TestListLeadsSortsAndFilters(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	var ids []uuid.UUID
	for i, score := range []string{"10", "null", "90", "10", "null"} {
		s.Clock.Advance(time.Minute)
		lead := createLead(t, s, token, fmt.Sprintf(`{"fields":{"n":"%d"}}`, i))
		s.Patch(t, token, "/leads/"+lead.ID.String(), `{"score":`+score+`}`).Want(t, http.StatusOK)
		ids = append(ids, lead.ID)
	}
	for _, id := range []int{0, 1, 2} {
		s.Patch(t, token, "/leads/"+ids[id].String()+"/status", `{"status":"WON"}`).Want(t, http.StatusOK)
	}
	for query, want := range map[string][]int{
		"":                                 {4, 3, 2, 1, 0},
		"?sort=newest":                     {4, 3, 2, 1, 0},
		"?sort=score":                      {2, 3, 0, 4, 1},
		"?status=WON":                      {2, 1, 0},
		"?status=NEW":                      {4, 3},
		"?status=LOST":                     {},
		"?sort=score&status=WON":           {2, 0, 1},
		"?sort=score&status=LOST":          {},
		"?sort=score&status=WON&limit=200": {2, 0, 1},
	} {
		expected := make([]uuid.UUID, len(want))
		for i, index := range want {
			expected[i] = ids[index]
		}
		require.Equal(t, expected, walkPages(t, s, token, "/leads"+query, 0), query)
		for _, size := range []int{1, 2, 3} {
			if !strings.Contains(query, "limit") {
				require.Equal(t, expected, walkPages(t, s, token, "/leads"+query, size), "%s by %d", query, size)
			}
		}
	}
}

// walkPages returns the IDs of all pages of a list. A size of 0 sends no limit.
func walkPages(t *testing.T, s *apitest.Server, token, path string, size int) []uuid.UUID {
	t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	if size > 0 {
		path += fmt.Sprintf("%slimit=%d", separator, size)
	}
	all, next := []uuid.UUID{}, path
	for range 1000 {
		response := s.Get(t, token, next).Want(t, http.StatusOK)
		items := apitest.Decode[[]struct{ ID uuid.UUID }](t, response)
		for _, item := range items {
			all = append(all, item.ID)
		}
		cursor := response.Header.Get("X-Next-Cursor")
		if cursor == "" {
			require.Empty(t, response.Header.Get("Link"))
			return all
		}
		if size > 0 {
			require.Len(t, items, size)
		}
		link := response.Header.Get("Link")
		require.True(t, strings.HasPrefix(link, "</api/v1") && strings.HasSuffix(link, `>; rel="next"`), link)
		next = strings.TrimSuffix(strings.TrimPrefix(link, "</api/v1"), `>; rel="next"`)
		require.Contains(t, next, cursor)
	}
	require.Fail(t, "the list does not end")
	return nil
}

func TestListLeadsIsStableDuringInserts(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	var want []uuid.UUID
	for range 5 {
		want = append([]uuid.UUID{createLead(t, s, token, `{"fields":{"a":"b"}}`).ID}, want...)
	}
	first := s.Get(t, token, "/leads?limit=2").Want(t, http.StatusOK)
	createLead(t, s, token, `{"fields":{"a":"late"}}`)
	rest := walkPages(t, s, token, "/leads?cursor="+first.Header.Get("X-Next-Cursor"), 2)
	require.Equal(t, want[2:], rest)
}

func TestCursorIsBoundToSortAndFilters(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	for range 3 {
		createLead(t, s, token, `{"fields":{"a":"b"}}`)
	}
	cursor := s.Get(t, token, "/leads?limit=1").Want(t, http.StatusOK).Header.Get("X-Next-Cursor")
	require.NotEmpty(t, cursor)
	s.Get(t, token, "/leads?limit=2&sort=newest&cursor="+cursor).Want(t, http.StatusOK)
	flipped := []byte(cursor)
	flipped[5] ^= 1
	elsewhere := s.Token(t, s.Workspace(t, "elsewhere"))
	for _, path := range []string{
		"/leads?sort=score&cursor=" + cursor, "/leads?status=NEW&cursor=" + cursor, "/agents?cursor=" + cursor,
		"/leads?cursor=" + string(flipped), "/leads?cursor=" + cursor + "A", "/leads?cursor=x", "/leads?cursor=" + cursor[:20],
	} {
		s.Get(t, token, path).Problem(t, http.StatusBadRequest, api.ErrorCodeInvalidCursor)
	}
	s.Get(t, elsewhere, "/leads?cursor="+cursor).Problem(t, http.StatusBadRequest, api.ErrorCodeInvalidCursor)
}

func TestUpdateLeadMergesFields(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	lead := createLead(t, s, token, `{"fields":{"name":"Anna","phone":"+48 111 222 333"}}`)
	path := "/leads/" + lead.ID.String()
	s.Clock.Advance(time.Hour)
	changed := apitest.Decode[map[string]any](t, s.Patch(t, token, path, `{"fields":{"phone":null,"company":"Nowak Ltd"},"score":85,"crmExternalId":"crm-7"}`).Want(t, http.StatusOK))
	require.Equal(t, map[string]any{"name": "Anna", "company": "Nowak Ltd"}, changed["fields"])
	require.InDelta(t, 85, changed["score"], 0)
	require.Equal(t, "crm-7", changed["crmExternalId"])
	require.Equal(t, "2026-04-30T13:00:00.000Z", changed["updatedAt"])
	require.Equal(t, "2026-04-30T12:00:00.000Z", changed["createdAt"])

	kept := apitest.Decode[map[string]any](t, s.Patch(t, token, path, `{"score":null}`).Want(t, http.StatusOK))
	require.Nil(t, kept["score"])
	require.Equal(t, "crm-7", kept["crmExternalId"], "omitted fields are unchanged")
	require.Equal(t, changed["fields"], kept["fields"])
	require.Nil(t, apitest.Decode[map[string]any](t, s.Patch(t, token, path, `{"crmExternalId":null}`).Want(t, http.StatusOK))["crmExternalId"])
}

func TestUpdateLeadKeepsAtLeastOneField(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	lead := createLead(t, s, token, `{"fields":{"name":"Anna"}}`)
	path := "/leads/" + lead.ID.String()
	s.Patch(t, token, path, `{"fields":{"name":null},"score":3}`).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeInvalidFields)
	after := apitest.Decode[api.Lead](t, s.Get(t, token, path).Want(t, http.StatusOK))
	require.JSONEq(t, `{"name":"Anna"}`, string(after.Fields), "a refusal changes nothing")
	require.Nil(t, after.Score)
	for _, body := range []string{`{}`, `{"score":101}`, `{"score":-1}`, `{"score":1.5}`, `{"score":"1"}`, `{"crmExternalId":""}`, `{"fields":null}`, `{"fields":{"email":"x"}}`, `{"status":"WON"}`} {
		s.Patch(t, token, path, body).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

func TestUpdateLeadStatusAllowsAllTransitions(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	path := "/leads/" + createLead(t, s, token, `{"fields":{"name":"Anna"}}`).ID.String() + "/status"
	stages := []api.LeadStatus{api.LeadStatusNEW, api.LeadStatusQUALIFIED, api.LeadStatusCONTACTED, api.LeadStatusWON, api.LeadStatusLOST}
	for _, from := range stages {
		for _, to := range stages {
			s.Patch(t, token, path, map[string]any{"status": from}).Want(t, http.StatusOK)
			s.Clock.Advance(time.Second)
			before := s.Clock.Now()
			moved := apitest.Decode[api.Lead](t, s.Patch(t, token, path, map[string]any{"status": to}).Want(t, http.StatusOK))
			require.Equal(t, to, moved.Status)
			if from == to {
				require.NotEqual(t, before, moved.UpdatedAt.Time, "no change, no trace")
			} else {
				require.Equal(t, before, moved.UpdatedAt.Time)
			}
		}
	}
	s.Patch(t, token, path, `{"status":"won"}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}

func TestDeleteLead(t *testing.T) {
	t.Parallel()
	s, token := setup(t)
	path := "/leads/" + createLead(t, s, token, `{"fields":{"name":"Anna"}}`).ID.String()
	s.Delete(t, token, path).Want(t, http.StatusNoContent)
	s.Delete(t, token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	s.Get(t, token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
}

// TestInternationalEmailAddress: an address that a request may have is valid in responses.
func TestInternationalEmailAddress(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	token := s.Token(t, s.Workspace(t, "acme"))
	created := s.Post(t, token, "/leads", `{"fields":{"email":"jan@żółw.pl"}}`).Want(t, http.StatusCreated)
	require.Contains(t, string(created.Body), "jan@żółw.pl")
	s.Post(t, token, "/leads", `{"fields":{"email":"jan żółw"}}`).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
}
