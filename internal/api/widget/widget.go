// Package widget serves what browsers load of the chat widget: the script of a customer's
// page, and the panel, which runs in a frame of this server. Both are built from sdk/widget.
package widget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

//go:embed assets
var files embed.FS

const (
	// LoaderPath is the script that a customer's page loads.
	LoaderPath = "/widget.js"
	// FramePath is the page in the frame.
	FramePath = "/widget/frame"
	// DemoPath is a page with the widget on it.
	DemoPath = "/widget/demo"

	immutable = "public, max-age=31536000, immutable"
	// briefly is how long a page may use a loader that has been replaced.
	briefly = "public, max-age=300"
	// hashLength is how much of its hash is in the URL of a file, in hexadecimal digits.
	hashLength = 16
)

// Covers reports whether a path belongs to the widget.
func Covers(path string) bool {
	return path == LoaderPath || strings.HasPrefix(path, "/widget/") || strings.HasPrefix(path, "/widget.") && strings.HasSuffix(path, ".js")
}

// Channels finds the channels of the widget.
type Channels interface {
	Channel(ctx context.Context, channelID uuid.UUID) (widget.Channel, error)
}

// Dependencies are the parts that the pages need.
type Dependencies struct {
	Channels Channels
	Limiter  ratelimit.Limiter
	// Limit bounds how often an address loads the frame.
	Limit    ratelimit.Limit
	ClientIP func(*http.Request) string
	// Demo serves a page with the widget on it.
	Demo bool
}

// asset is a file with its URL, which changes with its content.
type asset struct {
	url, mediaType, hash string
	plain, packed        []byte
}

type handler struct {
	Dependencies

	loader asset
	byURL  map[string]asset
	frames map[string][]byte // the page in the frame, by locale; "" for that of the browser
}

// New returns the handler of the widget's paths.
func New(d Dependencies) (http.Handler, error) {
	h := &handler{Dependencies: d, byURL: map[string]asset{}, frames: map[string][]byte{}}
	script, style := asset{}, asset{}
	for _, one := range []struct {
		to                           *asset
		name, prefix, ext, mediaType string
	}{
		{&h.loader, "loader.js", "/widget.", ".js", "text/javascript; charset=utf-8"},
		{&script, "panel.js", "/widget/panel.", ".js", "text/javascript; charset=utf-8"},
		{&style, "panel.css", "/widget/panel.", ".css", "text/css; charset=utf-8"},
	} {
		content, err := files.ReadFile("assets/" + one.name)
		if err != nil {
			return nil, errors.Join(errors.New("the widget was not built: run make generate"), err)
		}
		sum := sha256.Sum256(content)
		hash := hex.EncodeToString(sum[:])[:hashLength]
		*one.to = asset{url: one.prefix + hash + one.ext, mediaType: one.mediaType, hash: hash, plain: content, packed: web.Pack(content)}
		h.byURL[one.to.url] = *one.to
	}
	for _, locale := range []string{"", "en", "pl"} {
		var page bytes.Buffer
		if err := frame.Execute(&page, map[string]string{"Script": script.url, "Style": style.url, "Locale": locale}); err != nil {
			return nil, fmt.Errorf("frame: %w", err)
		}
		h.frames[locale] = page.Bytes()
	}
	return h, nil
}

var (
	frame = template.Must(template.New("frame").Parse(`<!doctype html>
<html lang="{{or .Locale "en"}}"{{if .Locale}} data-locale="{{.Locale}}"{{end}}>
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Chat</title><link rel="stylesheet" href="{{.Style}}"></head>
<body><script src="{{.Script}}"></script></body>
</html>
`))
	demo = template.Must(template.New("demo").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A page with the chat widget</title></head>
<body><main><h1>A page with the chat widget</h1><p>The button in the corner opens it.</p></main>
<script src="/widget.js" data-channel="{{.}}" async></script></body>
</html>
`))
)

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	found, ok := h.byURL[r.URL.Path]
	switch {
	case ok:
		w.Header().Set("Cache-Control", immutable)
		h.asset(w, r, found)
	case r.URL.Path == LoaderPath:
		w.Header().Set("Cache-Control", briefly)
		h.asset(w, r, h.loader)
	case r.URL.Path == FramePath:
		h.serveFrame(w, r)
	case r.URL.Path == DemoPath && h.Demo:
		serveDemo(w, r)
	default:
		http.Error(w, "Not found", http.StatusNotFound)
	}
}

// asset serves a file that pages of any origin may load, with an integrity attribute too.
func (*handler) asset(w http.ResponseWriter, r *http.Request, found asset) {
	header, etag := w.Header(), `"`+found.hash+`"`
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Content-Type", found.mediaType)
	header.Set("ETag", etag)
	if web.MatchesETag(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	web.Write(w, r, http.StatusOK, found.plain, found.packed)
}

// serveFrame serves the panel. Only pages that the channel allows can show it.
func (h *handler) serveFrame(w http.ResponseWriter, r *http.Request) {
	taken, err := h.Limiter.Take(r.Context(), "widget frame "+ratelimit.Network(h.ClientIP(r)), h.Limit)
	if err == nil && !taken.Allowed {
		http.Error(w, "Too many requests", http.StatusTooManyRequests)
		return
	}
	channelID, invalid := uuid.Parse(r.URL.Query().Get("channel"))
	if invalid != nil {
		http.Error(w, "There is no such channel.", http.StatusNotFound)
		return
	}
	channel, err := h.Channels.Channel(r.Context(), channelID)
	if errors.Is(err, postgres.ErrNotFound) {
		http.Error(w, "There is no such channel.", http.StatusNotFound)
		return
	} else if err != nil {
		http.Error(w, "The chat is not available.", http.StatusServiceUnavailable)
		return
	}
	ancestors := "*"
	if allowed := channel.AllowedOrigins(); len(allowed) > 0 {
		ancestors = strings.Join(allowed, " ") + " 'self'"
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "+
		"media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors "+ancestors)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-cache")
	locale := ""
	if channel.Config.Locale != nil {
		locale = string(*channel.Config.Locale)
	}
	web.Write(w, r, http.StatusOK, h.frames[locale], nil)
}

func serveDemo(w http.ResponseWriter, r *http.Request) {
	channelID, err := uuid.Parse(r.URL.Query().Get("channel"))
	if err != nil {
		http.Error(w, "There is no such channel.", http.StatusNotFound)
		return
	}
	var page bytes.Buffer
	_ = demo.Execute(&page, channelID.String()) // a buffer can always be written to
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	web.Write(w, r, http.StatusOK, page.Bytes(), nil)
}
