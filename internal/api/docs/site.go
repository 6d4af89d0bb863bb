// Package docs serves the documentation site. The pages are rendered from the OpenAPI
// document, each on its first visit, and cached compressed.
package docs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"github.com/avelto/convo/internal/api/docs/samples"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/openapi"
)

// Path is the root path of the site.
const Path = "/docs"

const (
	explorerAssets = Path + "/explorer/assets/"
	maxAge         = "public, max-age=300"
	hostedOrigin   = "https://api.avelto.pl"
	// unknownOrigin stands for the origin in pages until a request says what it is.
	unknownOrigin = "https://origin.invalid"
)

// Site serves the documentation.
type Site struct {
	// PublicURL is the origin used in code samples. If empty, it is the origin at which the
	// client reached the server.
	PublicURL string

	once      sync.Once
	pages     map[string]func() page // by path; each is rendered on its first visit
	search    func() []searchEntry   // made on the first search
	nav       []group
	templates *web.Templates
	err       error
	explorer  http.Handler
	addressed addressed
}

// page is a cached response body.
type page struct {
	packed    []byte
	etag      string
	mediaType string
}

// NewSite returns a site that is rendered on its first visit.
func NewSite(publicURL string) *Site {
	return &Site{
		PublicURL: publicURL,
		templates: web.NewTemplates("docs", template.FuncMap{
			"lower": strings.ToLower, "statusText": statusText, "anchor": anchor, "sample": newShown,
			"languages": func() []string { return languages }, "languageName": func(language string) string { return languageNames[language] },
		}),
		explorer: http.StripPrefix(explorerAssets, statigz.FileServer(static.FS)),
	}
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if strings.HasPrefix(r.URL.Path, explorerAssets) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		s.explorer.ServeHTTP(w, r)
		return
	}
	if s.once.Do(s.render); s.err != nil {
		panic(fmt.Errorf("documentation: %w", s.err))
	}
	if r.URL.Path == Path+"/search" {
		s.serveSearch(w, r)
		return
	}
	render, ok := s.pages[strings.TrimSuffix(r.URL.Path, "/")]
	if !ok {
		s.send(w, r, http.StatusNotFound, s.pages["404"]())
		return
	}
	found := render()
	if s.PublicURL == "" {
		found = s.addressed.page(r, found)
	}
	w.Header().Set("Cache-Control", maxAge)
	w.Header().Set("ETag", found.etag)
	if web.MatchesETag(r.Header.Get("If-None-Match"), found.etag) {
		w.Header().Set("Vary", "Accept-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.send(w, r, http.StatusOK, found)
}

func (s *Site) send(w http.ResponseWriter, r *http.Request, status int, p page) {
	w.Header().Set("Content-Type", p.mediaType)
	if web.AcceptsGzip(r) {
		web.Write(w, r, status, nil, p.packed)
		return
	}
	plain, err := unpack(p.packed)
	if err != nil {
		panic(err)
	}
	web.Write(w, r, status, plain, nil)
}

func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack page: %w", err)
	}
	return io.ReadAll(reader)
}

func newPage(content []byte, mediaType string) page {
	sum := sha256.Sum256(content)
	return page{packed: web.Pack(content), etag: `W/"` + hex.EncodeToString(sum[:12]) + `"`, mediaType: mediaType}
}

// view is the data passed to a template.
type view struct {
	Title string
	Path  string
	Base  string // base URL of the API: https://api.avelto.pl/api/v1
	Nav   []group
	Info  info
	Page  any
}

type info struct{ Summary, Version string }

// group is a group of navigation links.
type group struct {
	Name  string
	Links []link
}

type link struct {
	Path, Title string
	Inner       []link
}

// render renders all pages.
func (s *Site) render() {
	document, err := spec.Load(openapi.JSON) // the server discards the descriptions that pages need
	if err != nil {
		s.err = err
		return
	}
	read, err := read(openapi.JSON)
	if err != nil {
		s.err = err
		return
	}
	examples, err := document.Examples()
	if err != nil {
		s.err = err
		return
	}
	origin := cmp.Or(s.PublicURL, unknownOrigin)
	b := &builder{document: read, spec: document, examples: examples, base: origin + spec.BasePath}
	s.pages = map[string]func() page{}
	s.err = s.renderAll(b, cmp.Or(s.PublicURL, hostedOrigin)) // the origin in the types of errors
}

func (s *Site) renderAll(b *builder, origin string) error {
	all, err := b.chapters(origin)
	if err != nil {
		return err
	}
	s.nav = navigation(all)
	for _, c := range all {
		s.pages[c.path] = sync.OnceValue(func() page {
			content, err := s.templates.Execute(c.template, view{
				Title: c.title, Path: c.path, Base: b.base, Nav: s.nav, Info: info{b.Info.Summary, b.Info.Version}, Page: c.model,
			})
			if err != nil {
				panic(fmt.Errorf("page %s: %w", c.path, err))
			}
			return newPage(content, "text/html; charset=utf-8")
		})
	}
	s.search = sync.OnceValue(func() []searchEntry { return s.index(all) })
	s.pages[Path+"/search.json"] = sync.OnceValue(func() page {
		index, err := json.Marshal(s.search())
		if err != nil {
			panic(fmt.Errorf("search index: %w", err)) // unreachable: strings always marshal
		}
		return newPage(index, "application/json")
	})
	return nil
}

func navigation(all []chapter) []group {
	var nav []group
	for _, c := range all {
		if c.group == "" {
			continue
		}
		if len(nav) == 0 || nav[len(nav)-1].Name != c.group {
			nav = append(nav, group{Name: c.group})
		}
		into := &nav[len(nav)-1]
		into.Links = append(into.Links, link{c.path, c.title, c.inner})
	}
	return nav
}

// anchor converts a name to an HTML id: lead.created becomes lead-created.
func anchor(name string) string {
	return strings.NewReplacer(".", "-", ":", "-", "_", "-").Replace(name)
}

// shown is a code sample with a copy button.
type shown struct {
	Name, ID, Language string
	Code               template.HTML
}

func newShown(name, id, language, code string) (shown, error) {
	highlighted, err := highlight(language, code)
	return shown{name, id, language, highlighted}, err
}

func sample(name string) (string, error) {
	content, err := samples.Files.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("sample: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
