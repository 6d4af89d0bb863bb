package extract

import (
	"bytes"
	"strings"

	"github.com/saintfish/chardet"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	gmtext "github.com/yuin/goldmark/text"
	"golang.org/x/net/html/charset"
)

// readText reads plain text.
func readText(content []byte, contentType string) (Document, error) {
	text, err := decode(content, contentType)
	if err != nil {
		return Document{}, err
	}
	return Document{Sections: []Section{{Text: strings.TrimSpace(text)}}}, nil
}

// decode converts text to UTF-8, from the encoding that its content type or byte order
// mark declares, else from the one that its bytes look like.
func decode(content []byte, contentType string) (string, error) {
	encoding, _, certain := charset.DetermineEncoding(content, contentType)
	if !certain {
		if best, err := chardet.NewTextDetector().DetectBest(content); err == nil {
			if guessed, name := charset.Lookup(best.Charset); guessed != nil && name != "replacement" {
				encoding = guessed
			}
		}
	}
	text, err := encoding.NewDecoder().Bytes(content)
	if err != nil {
		return "", failed(Corrupt, "The encoding of its text is unknown.")
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if bytes.IndexByte(text, 0) >= 0 {
		return "", failed(Corrupt, "It is not text.")
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// readMarkdown splits Markdown on its headings. A section's heading is preceded by those
// above it.
func readMarkdown(content []byte, contentType string) (Document, error) {
	text, err := decode(content, contentType)
	if err != nil {
		return Document{}, err
	}
	source := []byte(text)
	root := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(gmtext.NewReader(source))
	b := &builder{}
	for block := root.FirstChild(); block != nil; block = block.NextSibling() {
		if heading, ok := block.(*ast.Heading); ok {
			b.heading(heading.Level, plainText(heading, source))
			continue
		}
		b.paragraph(plainText(block, source))
	}
	return b.document(), nil
}

// plainText returns the text of a node, blocks on lines of their own.
func plainText(node ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it fails only as this function does
		if !entering {
			if n.Type() == ast.TypeBlock || n.Kind() == east.KindTableCell {
				b.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(source))
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			lines := n.Lines()
			for i := range lines.Len() {
				segment := lines.At(i)
				b.Write(segment.Value(source))
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// builder collects paragraphs under their headings.
type builder struct {
	title    string
	path     []string // headings by level
	text     strings.Builder
	sections []Section
}

func (b *builder) heading(level int, text string) {
	b.flush()
	text = squeeze(text)
	if b.title == "" {
		b.title = text
	}
	level = max(1, level)
	for len(b.path) >= level {
		b.path = b.path[:len(b.path)-1]
	}
	for len(b.path) < level-1 {
		b.path = append(b.path, "")
	}
	b.path = append(b.path, text)
}

func (b *builder) paragraph(text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	if b.text.Len() > 0 {
		b.text.WriteString("\n\n")
	}
	b.text.WriteString(text)
}

func (b *builder) flush() {
	if b.text.Len() == 0 {
		return
	}
	var path []string
	for _, one := range b.path {
		if one != "" {
			path = append(path, one)
		}
	}
	b.sections = append(b.sections, Section{Heading: strings.Join(path, " › "), Text: b.text.String()})
	b.text.Reset()
}

func (b *builder) document() Document {
	b.flush()
	return Document{Title: b.title, Sections: b.sections}
}

// squeeze joins a text into one line.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
