package extract

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	readability "codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

// parseHTML parses a page in the encoding that its content type, byte order mark or meta
// element declares.
func parseHTML(content []byte, contentType string) (*html.Node, error) {
	reader, err := charset.NewReader(bytes.NewReader(content), contentType)
	if err != nil {
		return nil, failed(Corrupt, "The encoding of its text is unknown.")
	}
	page, err := html.Parse(reader)
	if err != nil {
		return nil, failed(Corrupt, "It is not HTML, or its elements nest too deep.")
	}
	return page, nil
}

// readHTML reads the readable part of a page, without navigation, menus and footers. If
// there is no such part, it reads the whole page.
func readHTML(page *html.Node, at string) (Document, error) {
	address, err := url.Parse(at)
	if err != nil {
		return Document{}, fmt.Errorf("address of the page: %w", err)
	}
	title := squeeze(textOf(find(page, atom.Title)))
	whole := find(page, atom.Body)
	b := &builder{title: title}
	if article, err := readability.FromDocument(clone(page), address); err == nil && article.Node != nil {
		b.walk(article.Node)
		if len(b.document().Sections) > 0 {
			return withTitle(b.document(), title), nil
		}
	}
	b = &builder{title: title}
	b.walk(whole)
	return withTitle(b.document(), title), nil
}

func withTitle(d Document, title string) Document {
	if title != "" {
		d.Title = title
	}
	for i := range d.Sections {
		if d.Sections[i].Heading == "" {
			d.Sections[i].Heading = d.Title
		}
	}
	return d
}

var (
	levels = map[atom.Atom]int{atom.H1: 1, atom.H2: 2, atom.H3: 3, atom.H4: 4, atom.H5: 5, atom.H6: 6}
	blocks = map[atom.Atom]bool{
		atom.P: true, atom.Li: true, atom.Pre: true, atom.Td: true, atom.Th: true, atom.Dt: true, atom.Dd: true,
		atom.Blockquote: true, atom.Figcaption: true, atom.Caption: true,
	}
	unread = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true, atom.Iframe: true}
)

// walk collects headings and paragraphs in the order of the page.
func (b *builder) walk(n *html.Node) {
	if n == nil {
		return
	}
	if n.Type == html.TextNode {
		b.paragraph(squeeze(n.Data))
		return
	}
	if unread[n.DataAtom] {
		return
	}
	if level, ok := levels[n.DataAtom]; ok {
		b.heading(level, textOf(n))
		return
	}
	if blocks[n.DataAtom] && !hasBlocks(n) {
		b.paragraph(squeeze(textOf(n)))
		return
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		b.walk(child)
	}
}

func hasBlocks(n *html.Node) bool {
	for child := range n.Descendants() {
		if _, heading := levels[child.DataAtom]; heading || blocks[child.DataAtom] {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode && !unread[child.Parent.DataAtom] {
			b.WriteString(child.Data)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func find(n *html.Node, what atom.Atom) *html.Node {
	for child := range n.Descendants() {
		if child.DataAtom == what {
			return child
		}
	}
	return nil
}

// clone copies a page: readability changes the one that it gets.
func clone(n *html.Node) *html.Node {
	c := &html.Node{Type: n.Type, DataAtom: n.DataAtom, Data: n.Data, Namespace: n.Namespace, Attr: append([]html.Attribute(nil), n.Attr...)}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.AppendChild(clone(child))
	}
	return c
}
