package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/api/web"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "identity": false, "br": false, "gzip": true, "GZIP": true, "x-gzip": true, "br, gzip": true, "gzip;q=1.0, identity; q=0.5": true,
		"gzip;q=0": false, "gzip; q=0": false, "gzip;q=0.000": false, "gzip;q=0.001": true, "gzip;Q=0": false,
		"*": true, "*;q=0": false, "*, gzip;q=0": false, "gzip;q=0, *": false, "*;q=0, gzip": true, "gzipped": false, "not-gzip": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		require.Equal(t, want, web.AcceptsGzip(r), header)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Accept-Encoding"] = []string{"br", "gzip"}
	require.True(t, web.AcceptsGzip(r), "in a second header")
}

func TestMatchesETag(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, `W/"a"`: true, `"a"`: true, `"b"`: false, `"b", W/"a"`: true, "*": true, `W/"aa"`: false, "a": false, `"A"`: false,
	} {
		require.Equal(t, want, web.MatchesETag(header, `W/"a"`), header)
	}
}

func TestWriteNegotiatesCompression(t *testing.T) {
	t.Parallel()
	plain := []byte(strings.Repeat("hello ", 100))
	packed := web.Pack(plain)
	require.Less(t, len(packed), len(plain))
	for encoding, compressed := range map[string]bool{"gzip": true, "": false, "gzip;q=0": false} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", encoding)
		web.Write(w, r, http.StatusTeapot, plain, packed)
		require.Equal(t, http.StatusTeapot, w.Code)
		require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"), "caches must not mix the two up")
		if !compressed {
			require.Empty(t, w.Header().Get("Content-Encoding"), encoding)
			require.Equal(t, plain, w.Body.Bytes(), encoding)
			continue
		}
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		reader, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, plain, unpacked)
	}
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	r.Header.Set("Accept-Encoding", "gzip")
	web.Write(w, r, http.StatusOK, plain, nil)
	require.Equal(t, plain, w.Body.Bytes(), "not compressed if there is no compressed form")
}

func TestAssets(t *testing.T) {
	t.Parallel()
	get := func(target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		web.Assets(w, httptest.NewRequest(http.MethodGet, target, nil))
		return w
	}
	for name, mediaType := range map[string]string{
		"style.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "theme.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		url, err := web.AssetURL(name)
		require.NoError(t, err)
		versioned := get(url)
		require.Equal(t, http.StatusOK, versioned.Code)
		require.Equal(t, mediaType, versioned.Header().Get("Content-Type"))
		require.Equal(t, "public, max-age=31536000, immutable", versioned.Header().Get("Cache-Control"))
		for _, stale := range []string{web.AssetsPath + name, web.AssetsPath + name + "?v=0"} {
			w := get(stale)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, "no-cache", w.Header().Get("Cache-Control"), "an old URL must not cache new content forever")
			require.Equal(t, versioned.Body.Bytes(), w.Body.Bytes())
		}
	}
	for _, path := range []string{"", "none.css", "../web.go", "assets/style.css", "style.css/"} {
		require.Equal(t, http.StatusNotFound, get(web.AssetsPath+path).Code, path)
	}
	_, err := web.AssetURL("none.css")
	require.ErrorContains(t, err, "none.css")
}

// page serves one request to next wrapped by Pages, and returns the response and the log
// entry.
func page(t *testing.T, options web.Options, next http.HandlerFunc) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	var log bytes.Buffer
	options.Log, options.Timeout = slog.New(slog.NewJSONHandler(&log, nil)), time.Minute
	options.Fault = func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "failed "+web.RequestID(r.Context()), http.StatusInternalServerError)
	}
	w := httptest.NewRecorder()
	web.Pages(options, next).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs/search?q=my+secret+search", nil))
	var entry map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &entry))
	return w, entry
}

func TestPagesSetSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{false, true} {
		var deadline time.Time
		var limited bool
		var flushed error
		w, entry := page(t, web.Options{HTTPS: https}, func(w http.ResponseWriter, r *http.Request) {
			deadline, limited = r.Context().Deadline()
			flushed = http.NewResponseController(w).Flush()
		})
		require.True(t, limited)
		require.Less(t, time.Until(deadline), time.Minute)
		require.NoError(t, flushed)
		header := w.Header()
		policy := header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			require.Contains(t, policy, directive)
		}
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		require.Equal(t, "same-origin", header.Get("Referrer-Policy"))
		require.Equal(t, https, header.Get("Strict-Transport-Security") != "", "HSTS must not be sent over plain HTTP")
		require.Regexp(t, `^req_[0-9a-f]{32}$`, header.Get("X-Request-Id"))
		require.Equal(t, header.Get("X-Request-Id"), entry["requestId"])
		require.Equal(t, "/docs/search", entry["path"])
		require.NotContains(t, entry, "error")
	}
}

func TestPagesDoNotLogQueries(t *testing.T) {
	t.Parallel()
	_, entry := page(t, web.Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	text, err := json.Marshal(entry)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
	require.InDelta(t, http.StatusNotFound, entry["status"], 0)
	require.Equal(t, "INFO", entry["level"])
}

func TestPanicShowsErrorPage(t *testing.T) {
	t.Parallel()
	w, entry := page(t, web.Options{}, func(http.ResponseWriter, *http.Request) { panic("secret bug") })
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "failed "+w.Header().Get("X-Request-Id")+"\n", w.Body.String())
	require.Equal(t, "ERROR", entry["level"])
	require.Contains(t, entry["error"], "secret bug")
	require.InDelta(t, http.StatusInternalServerError, entry["status"], 0)
}

func TestPanicAfterStartedResponseAddsNothing(t *testing.T) {
	t.Parallel()
	w, entry := page(t, web.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("bug")
	})
	require.Equal(t, "half", w.Body.String())
	require.InDelta(t, http.StatusOK, entry["status"], 0)
	require.Equal(t, "ERROR", entry["level"])
}

func TestRequestIDOfOtherContextIsEmpty(t *testing.T) {
	t.Parallel()
	require.Empty(t, web.RequestID(context.Background()))
}

func TestTemplatesReturnErrors(t *testing.T) {
	t.Parallel()
	_, err := web.NewTemplates("docs", template.FuncMap{}).Execute("search", nil)
	require.ErrorContains(t, err, "not defined", "a function that the templates use is missing")
	_, err = web.NewTemplates("none", nil).Execute("search", nil)
	require.Error(t, err)
}
