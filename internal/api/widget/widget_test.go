package widget_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/api/widget"
	domain "github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// channels has one channel.
type channels struct {
	id     uuid.UUID
	config string
}

// Channel implements widget.Channels.
func (c *channels) Channel(_ context.Context, channelID uuid.UUID) (domain.Channel, error) {
	if channelID != c.id {
		return domain.Channel{}, postgres.ErrNotFound
	}
	var config api.WebsiteChannelConfig
	err := json.Unmarshal([]byte(c.config), &config)
	return domain.Channel{Config: config}, err
}

func newHandler(t *testing.T, config string, demo bool) (handler http.Handler, channel string) {
	t.Helper()
	c := &channels{uuid.New(), config}
	handler, err := widget.New(widget.Dependencies{
		Channels: c, Limiter: ratelimit.NewMemory(clock.System{}), Limit: ratelimit.Limit{Requests: 3, Window: time.Hour},
		ClientIP: func(r *http.Request) string { return r.RemoteAddr }, Demo: demo,
	})
	require.NoError(t, err)
	return handler, c.id.String()
}

func get(handler http.Handler, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "https://convo.example.com"+path, nil)
	r.TLS = &tls.ConnectionState{}
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// TestScriptsAreSmall: a customer's page loads the loader with each view.
func TestScriptsAreSmall(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"loader.js": 4_000, "panel.js": 25_000} {
		content, err := os.ReadFile("assets/" + name)
		require.NoError(t, err)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err = w.Write(content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.LessOrEqual(t, packed.Len(), limit, name)
	}
}

func TestFilesAreCached(t *testing.T) {
	t.Parallel()
	handler, channel := newHandler(t, "{}", false)
	loader := get(handler, widget.LoaderPath, nil)
	require.Equal(t, http.StatusOK, loader.Code)
	require.Equal(t, "text/javascript; charset=utf-8", loader.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=300", loader.Header().Get("Cache-Control"))
	require.Equal(t, "*", loader.Header().Get("Access-Control-Allow-Origin"), "scripts with an integrity attribute need it")
	etag := loader.Header().Get("ETag")
	require.Equal(t, http.StatusNotModified, get(handler, widget.LoaderPath, http.Header{"If-None-Match": {etag}}).Code)
	packed := get(handler, widget.LoaderPath, http.Header{"Accept-Encoding": {"gzip"}})
	plain, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	same, err := io.ReadAll(plain)
	require.NoError(t, err)
	require.Equal(t, loader.Body.Bytes(), same)

	page := get(handler, widget.FramePath+"?channel="+channel, nil)
	require.Equal(t, http.StatusOK, page.Code)
	files := regexp.MustCompile(`"(/widget/panel\.[0-9a-f]{16}\.(?:js|css))"`).FindAllStringSubmatch(page.Body.String(), -1)
	require.Len(t, files, 2)
	for _, file := range append(files, []string{"", "/widget." + etag[1:len(etag)-1] + ".js"}) {
		require.True(t, widget.Covers(file[1]))
		found := get(handler, file[1], nil)
		require.Equal(t, http.StatusOK, found.Code, file[1])
		require.Equal(t, "public, max-age=31536000, immutable", found.Header().Get("Cache-Control"))
	}
	for _, path := range []string{"/widget.0000000000000000.js", "/widget/panel.js", "/widget/", widget.DemoPath + "?channel=" + channel} {
		require.Equal(t, http.StatusNotFound, get(handler, path, nil).Code, path)
	}
}

// TestOnlyAllowedPagesShowTheFrame relies on the browser for frame-ancestors.
func TestOnlyAllowedPagesShowTheFrame(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{}`: "frame-ancestors *",
		`{"allowedOrigins":["https://a.example.com","https://b.example.com"]}`: "frame-ancestors https://a.example.com https://b.example.com 'self'",
	} {
		handler, channel := newHandler(t, config, false)
		page := get(handler, widget.FramePath+"?channel="+channel, nil)
		policy := page.Header().Get("Content-Security-Policy")
		require.Contains(t, policy, want)
		require.Contains(t, policy, "default-src 'none'; script-src 'self';")
		require.NotContains(t, policy, "unsafe")
	}
	handler, channel := newHandler(t, `{"locale":"pl"}`, false)
	require.Contains(t, get(handler, widget.FramePath+"?channel="+channel, nil).Body.String(), `<html lang="pl" data-locale="pl">`)
	require.Equal(t, http.StatusNotFound, get(handler, widget.FramePath+"?channel="+uuid.NewString(), nil).Code)
	require.Equal(t, http.StatusNotFound, get(handler, widget.FramePath+"?channel=1", nil).Code)
	require.Equal(t, http.StatusTooManyRequests, get(handler, widget.FramePath+"?channel="+channel, nil).Code)
}

func TestDemoPageHasTheWidget(t *testing.T) {
	t.Parallel()
	handler, channel := newHandler(t, "{}", true)
	page := get(handler, widget.DemoPath+"?channel="+channel, nil)
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), `<script src="/widget.js" data-channel="`+channel+`" async>`)
	require.Equal(t, http.StatusNotFound, get(handler, widget.DemoPath+`?channel="><script>`, nil).Code)
	post := httptest.NewRecorder()
	handler.ServeHTTP(post, httptest.NewRequest(http.MethodPost, widget.DemoPath, nil))
	require.Equal(t, http.StatusMethodNotAllowed, post.Code)
}
