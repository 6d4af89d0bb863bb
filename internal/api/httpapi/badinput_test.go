package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/testing/apitest"
)

// TestBadInputNeverReturns5xx sends malformed and extreme input to every operation.
func TestBadInputNeverReturns5xx(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	rich, _ := s.Demo(t)
	bodies := []string{
		"", "null", "0", `""`, "[]", "{}", "{", "\x00", "\xff\xfe", `{"a":1e999999}`, `{"a":` + strings.Repeat("9", 5000) + "}",
		strings.Repeat(`{"a":`, 5000), strings.Repeat("[", 100_000), `{"ids":["` + strings.Repeat("a", 10_000) + `"]}`,
		`{"fields":{"` + strings.Repeat("k", 100_000) + `":"v"}}`, `{"fields":{"":""}}`, `{"fields":{"a":"\u0000"}}`, `{"content":"\ud83d"}`,
		`{"fields":{"a":"b"},"fields":{"a":"b"}}`, `{"score":-0}`, `{"score":1E2}`, `{"score":100.0}`, `{"score":2147483648}`, `{"name":"\u202e\u0007"}`,
		`{"status":"WON","status":"LOST"}`, `{"temperature":1e-320,"maxTokens":1}`, `{"operatorId":"00000000-0000-0000-0000-000000000000","action":"assign","ids":["ffffffff-ffff-ffff-ffff-ffffffffffff"]}`,
	}
	queries := []string{
		"limit=-1", "limit=9223372036854775808", "limit=%00", "cursor=" + strings.Repeat("A", 512), "cursor=%F0%9F%A6%8A", "status=%27%3BDROP+TABLE+leads%3B--",
		"tagIds=" + strings.TrimSuffix(strings.Repeat(uuid.NewString()+",", 21), ","), "from=0000-01-01T00:00:00Z", "from=9999-12-31T23:59:59Z&to=9999-12-31T23:59:59.999Z",
		"from=0000-01-01T00:00:00Z&to=0000-01-02T00:00:00Z", "from=9998-12-31T23:59:59Z&to=9999-12-31T23:59:59Z&granularity=month", "&&&", "=", "a=b=c", "%", "limit=1&limit=2",
	}
	walk(t, s, func(t *testing.T, o *spec.Operation) {
		t.Helper()
		for _, body := range bodies {
			r := example(t, o)
			r.Token, r.Body = rich.Token, body
			requireNoServerError(t, s.Do(t, r))
		}
		for _, query := range queries {
			r := example(t, o)
			r.Token = rich.Token
			r.Path += "?" + query
			requireNoServerError(t, s.Do(t, r))
		}
	})
}

func requireNoServerError(t *testing.T, response apitest.Response) {
	t.Helper()
	require.Less(t, response.Status, http.StatusInternalServerError, "body: %s", response.Body)
}

// fuzzServer is one server for all inputs of a fuzz target.
func fuzzServer(f *testing.F) func(t *testing.T, r *http.Request) {
	f.Helper()
	s := apitest.New(f, apitest.Options{})
	rich, _ := s.Demo(f)
	var once sync.Mutex
	return func(t *testing.T, r *http.Request) {
		t.Helper()
		once.Lock() // one request at a time, so that a failure shows its input
		defer once.Unlock()
		r.Header.Set("Authorization", "Bearer "+rich.Token)
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			require.Fail(t, "server error", "%s %s: %s", r.Method, r.URL, w.Body)
		}
	}
}

// FuzzBody sends arbitrary bodies to operations that accept one.
func FuzzBody(f *testing.F) {
	ask := fuzzServer(f)
	paths := []string{"/leads", "/conversations/bulk", "/tags", "/agents", "/conversations/019684aa-5e00-7c3a-9f21-6a0b5f1d2e01/operator-message"}
	for i, body := range []string{
		`{"fields":{"name":"Anna"}}`, `{"ids":["019684aa-5e00-7c3a-9f21-6a0b5f1d2e01"],"action":"close"}`, `{"name":"vip"}`,
		`{"name":"A","modelProvider":"p","modelName":"m","temperature":0.1}`, `{"content":"Hi"}`,
	} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		r := httptest.NewRequest(http.MethodPost, spec.BasePath+paths[int(which)%len(paths)], strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		ask(t, r)
	})
}

// FuzzQuery sends arbitrary queries to lists and analytics.
func FuzzQuery(f *testing.F) {
	ask := fuzzServer(f)
	paths := []string{"/leads", "/conversations", "/agents", "/analytics/overview", "/analytics/timeseries"}
	for i, query := range []string{"sort=score&limit=5", "status=OPEN&tagIds=019684aa-5e00-7c3a-9f21-6a0b5f1d2e01", "cursor=AQ", "from=2026-04-01T00:00:00Z", "granularity=week&groupBy=agent"} {
		f.Add(uint8(i), query)
	}
	f.Fuzz(func(t *testing.T, which uint8, query string) {
		r := httptest.NewRequest(http.MethodGet, spec.BasePath+paths[int(which)%len(paths)], nil)
		r.URL.RawQuery = query
		ask(t, r)
	})
}

// FuzzHeaders sends arbitrary tokens, keys and IDs.
func FuzzHeaders(f *testing.F) {
	ask := fuzzServer(f)
	f.Add("Bearer convo_x", "key-1", "req-1", "application/json")
	f.Fuzz(func(t *testing.T, authorization, key, requestID, contentType string) {
		r := httptest.NewRequest(http.MethodPost, spec.BasePath+"/tags", strings.NewReader(`{"name":"x"}`))
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("X-Request-Id", requestID)
		r.Header.Set("Content-Type", contentType)
		ask(t, r)
		r = httptest.NewRequest(http.MethodGet, spec.BasePath+"/leads/"+url.PathEscape(key), nil)
		ask(t, r)
		r.Header.Set("Authorization", authorization)
		ask(t, r)
	})
}
