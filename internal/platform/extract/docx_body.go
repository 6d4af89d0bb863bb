package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// wordParagraph is a paragraph while its runs are read.
type wordParagraph struct {
	text  strings.Builder
	level int
}

// wordBody collects paragraphs. They nest: a text box is inside a paragraph.
type wordBody struct {
	styles map[string]int
	open   []*wordParagraph
	inText bool
	// fallback counts the open mc:Fallback elements, which repeat the content before them
	// for old readers.
	fallback int
	out      *builder
}

func (b *wordBody) token(token xml.Token) {
	switch token := token.(type) {
	case xml.StartElement:
		b.start(token)
	case xml.EndElement:
		b.end(token.Name.Local)
	case xml.CharData:
		if b.inText && b.fallback == 0 {
			b.write(string(token))
		}
	}
}

func (b *wordBody) start(element xml.StartElement) {
	switch element.Name.Local {
	case "Fallback":
		b.fallback++
	case "p":
		if isWord(element.Name) {
			b.open = append(b.open, &wordParagraph{})
		}
	case "pStyle":
		b.style(attribute(element, "val"))
	case "t":
		b.inText = isWord(element.Name)
	case "tab", "br", "cr":
		b.write(" ")
	case "noBreakHyphen":
		b.write("-")
	}
}

func (b *wordBody) end(name string) {
	switch name {
	case "Fallback":
		b.fallback--
	case "t":
		b.inText = false
	case "p":
		if len(b.open) == 0 {
			return
		}
		last := b.open[len(b.open)-1]
		b.open = b.open[:len(b.open)-1]
		if last.level > 0 {
			b.out.heading(last.level, last.text.String())
		} else {
			b.out.paragraph(last.text.String())
		}
	}
}

func (b *wordBody) write(text string) {
	if len(b.open) > 0 && b.fallback == 0 {
		b.open[len(b.open)-1].text.WriteString(text)
	}
}

// style makes the paragraph a heading if its style is one. If the document defines no
// styles, their IDs are the English names.
func (b *wordBody) style(id string) {
	if len(b.open) == 0 {
		return
	}
	level, ok := b.styles[id]
	if !ok {
		level = headingLevel(id)
	}
	b.open[len(b.open)-1].level = level
}

// isWord reports whether an element is of WordprocessingML, transitional or strict:
// DrawingML and MathML have paragraphs and texts of their own.
func isWord(name xml.Name) bool {
	return strings.Contains(name.Space, "/wordprocessingml/")
}

// headingLevel returns the level of a heading style by its name, from 1, or 0 for text.
func headingLevel(style string) int {
	style = strings.ToLower(strings.ReplaceAll(style, " ", ""))
	if style == "title" {
		return 1
	}
	digits, ok := strings.CutPrefix(style, "heading")
	if !ok {
		return 0
	}
	level, err := strconv.Atoi(digits)
	if err != nil || level < 1 || level > 9 {
		return 0
	}
	return level
}
