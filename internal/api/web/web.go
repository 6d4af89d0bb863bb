// Package web holds the templates, styles and scripts of the documentation and the
// console, and the middleware for their pages.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed all:templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// Templates holds the page templates of one folder by name. They are parsed on first
// use.
type Templates struct {
	load func() (map[string]*template.Template, error)
}

// NewTemplates returns the templates in a folder: docs or console.
func NewTemplates(folder string, functions template.FuncMap) *Templates {
	return &Templates{load: sync.OnceValues(func() (map[string]*template.Template, error) { return parse(folder, functions) })}
}

func parse(folder string, functions template.FuncMap) (map[string]*template.Template, error) {
	base, err := template.New("base").Funcs(template.FuncMap{"asset": AssetURL}).Funcs(functions).
		ParseFS(templateFiles, "templates/*.html", "templates/"+folder+"/_*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/"+folder+"/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	pages := make(map[string]*template.Template, len(files))
	for _, file := range files {
		page, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", file, err)
		}
		if page, err = page.ParseFS(templateFiles, file); err != nil {
			return nil, fmt.Errorf("template %s: %w", file, err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return pages, nil
}

// Execute renders a page completely, so that an error never truncates a response.
func (t *Templates) Execute(name string, data any) ([]byte, error) {
	return t.Part(name, "page", data)
}

// Part renders a template of a page.
func (t *Templates) Part(name, part string, data any) ([]byte, error) {
	pages, err := t.load()
	if err != nil {
		return nil, err
	}
	page, ok := pages[name]
	if !ok {
		return nil, fmt.Errorf("template %s not found", name)
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, part, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// AssetURL returns the URL of an asset, with a version that changes with its content.
func AssetURL(name string) (string, error) {
	found, ok := assets()[name]
	if !ok {
		return "", fmt.Errorf("asset %s not found", name)
	}
	return AssetsPath + name + "?v=" + found.version, nil
}

// AssetsPath is the path prefix of the assets.
const AssetsPath = "/assets/"

type asset struct {
	plain, packed []byte
	mediaType     string
	version       string
}

// assets holds all assets by name, compressed once.
var assets = sync.OnceValue(func() map[string]asset {
	all := map[string]asset{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // unreachable: the files are embedded
	}
	for _, entry := range entries {
		content, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic(err) // unreachable: the files are embedded
		}
		sum := sha256.Sum256(content)
		all[entry.Name()] = asset{
			plain: content, packed: Pack(content), mediaType: mediaTypes[path.Ext(entry.Name())], version: hex.EncodeToString(sum[:6]),
		}
	}
	return all
})

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}
