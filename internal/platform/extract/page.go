package extract

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/avelto/convo/internal/platform/weburl"
)

const (
	// MaxPage is how large a web page may be, in bytes, compressed or not.
	MaxPage = 5 << 20
	// maxLinks is how many links of a page are followed; the first ones count.
	maxLinks       = 1000
	maxSitemapURLs = 2000
	maxSitemaps    = 10
)

// Page is what a web page contains.
type Page struct {
	Index Index `json:"index"`
	// Unreadable says why the index is empty: the links can be followed all the same.
	Unreadable *Error `json:"unreadable,omitempty"`
	// Canonical is the page's own address by its rel=canonical, on the same host.
	Canonical string `json:"canonical,omitempty"`
	// Links are addresses on the same host, in canonical form, each once.
	Links []string `json:"links,omitempty"`
	// NoIndex is set if the page asks robots to leave it out.
	NoIndex bool `json:"noIndex,omitzero"`
}

// Sitemap is what a sitemap file lists.
type Sitemap struct {
	Pages []string `json:"pages,omitempty"` // on the same host, canonical, each once
	Maps  []string `json:"maps,omitempty"`  // more sitemaps
}

// decompress returns the content without its Content-Encoding, at most MaxPage bytes.
func decompress(content []byte, encoding string) ([]byte, error) {
	if encoding != "gzip" {
		return content, nil
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, failed(Corrupt, "It is not valid gzip.")
	}
	plain, err := io.ReadAll(io.LimitReader(unpacked, MaxPage+1))
	if err != nil {
		return nil, failed(Corrupt, "It is not valid gzip.")
	}
	if len(plain) > MaxPage {
		return nil, failed(TooLarge, "It is larger than %d MiB.", MaxPage>>20)
	}
	return plain, nil
}

// page reads text and links of a page. A page of another kind than HTML has no links.
func (t Task) page(content []byte) (page Page, err error) {
	var document Document
	if t.Kind != HTML {
		document, err = t.document(nil, content)
	} else {
		var root *html.Node
		if root, err = parseHTML(content, t.contentType()); err != nil {
			return Page{}, err
		}
		if page, err = links(root, t.Address); err != nil {
			return Page{}, err
		}
		document, err = readHTML(root, t.Address)
	}
	if err == nil {
		err = document.check(maxPageText)
	}
	if err == nil {
		page.Index, err = newIndex(document, maxPagePassages)
	}
	if blame, ok := errors.AsType[*Error](err); ok {
		page.Unreadable = blame
		return page, nil
	}
	return page, err
}

// linkReader collects a page's links and its directives for robots.
type linkReader struct {
	base     *url.URL
	host     string
	page     Page
	noFollow bool
	seen     map[string]bool
}

func links(root *html.Node, address string) (Page, error) {
	base, err := url.Parse(address)
	if err != nil {
		return Page{}, fmt.Errorf("address of the page: %w", err)
	}
	r := &linkReader{base: base, host: base.Host, seen: map[string]bool{}}
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			r.element(node)
		}
	}
	if r.noFollow {
		r.page.Links = nil
	}
	return r.page, nil
}

func (r *linkReader) element(node *html.Node) {
	switch node.DataAtom { //nolint:exhaustive // other elements are irrelevant here
	case atom.Base:
		if base, err := r.base.Parse(attr(node, "href")); err == nil {
			r.base = base
		}
	case atom.Meta:
		if name := strings.ToLower(attr(node, "name")); name == "robots" || name == "convobot" {
			rules := strings.ToLower(attr(node, "content"))
			r.page.NoIndex = r.page.NoIndex || strings.Contains(rules, "noindex") || strings.Contains(rules, "none")
			r.noFollow = r.noFollow || strings.Contains(rules, "nofollow") || strings.Contains(rules, "none")
		}
	case atom.Link:
		if strings.EqualFold(attr(node, "rel"), "canonical") {
			if address, ok := weburl.Resolve(r.base, r.host, attr(node, "href")); ok {
				r.page.Canonical = address
			}
		}
	case atom.A:
		r.link(node)
	}
}

func (r *linkReader) link(node *html.Node) {
	href := attr(node, "href")
	if href == "" || len(r.page.Links) == maxLinks || strings.Contains(attr(node, "rel"), "nofollow") {
		return
	}
	if address, ok := weburl.Resolve(r.base, r.host, href); ok && !r.seen[address] {
		r.seen[address] = true
		r.page.Links = append(r.page.Links, address)
	}
}

func attr(node *html.Node, key string) string {
	for _, one := range node.Attr {
		if one.Key == key && one.Namespace == "" {
			return one.Val
		}
	}
	return ""
}

// sitemap reads a sitemap file or an index of them, as it is or packed with gzip.
func (t Task) sitemap(content []byte) (*Sitemap, error) {
	host, err := url.Parse(t.Address)
	if err != nil {
		return nil, fmt.Errorf("address of the sitemap: %w", err)
	}
	if bytes.HasPrefix(content, []byte("\x1f\x8b")) {
		if content, err = decompress(content, "gzip"); err != nil {
			return nil, err
		}
	}
	var file struct {
		Pages []string `xml:"url>loc"`
		Maps  []string `xml:"sitemap>loc"`
	}
	if err := xml.Unmarshal(content, &file); err != nil {
		return nil, failed(Corrupt, "It is not a sitemap.")
	}
	found, seen := &Sitemap{Maps: file.Maps[:min(len(file.Maps), maxSitemaps)]}, map[string]bool{}
	for _, one := range file.Pages {
		address, ok := weburl.Resolve(host, host.Host, one)
		if ok && !seen[address] && len(found.Pages) < maxSitemapURLs {
			seen[address] = true
			found.Pages = append(found.Pages, address)
		}
	}
	return found, nil
}
