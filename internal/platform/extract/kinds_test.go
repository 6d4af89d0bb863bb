package extract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
)

func read(t *testing.T, task extract.Task, content string) extract.Document {
	t.Helper()
	document, err := extract.Read(t.Context(), task, []byte(content))
	require.NoError(t, err)
	return document
}

// blamed requires that a file cannot be read, and returns the code.
func blamed(t *testing.T, task extract.Task, content string) extract.Code {
	t.Helper()
	_, err := extract.Read(t.Context(), task, []byte(content))
	var blame *extract.Error
	require.ErrorAs(t, err, &blame)
	require.NotEmpty(t, blame.Message)
	return blame.Code
}

func TestMarkdownSectionsHaveThePathOfTheirHeading(t *testing.T) {
	t.Parallel()
	document := read(t, extract.Task{Kind: extract.Markdown}, `Before any heading.

# Shop
Welcome to *our* [shop](https://example.com).

## Returns
- within 30 days
- <https://example.com/returns>

#### Deep
`+"```go\nfunc main() {}\n```"+`

Setext
======
| size | price |
|------|-------|
| 42   | 99 zł |
`)
	require.Equal(t, "Shop", document.Title)
	var headings []string
	for _, section := range document.Sections {
		headings = append(headings, section.Heading)
	}
	require.Equal(t, []string{"", "Shop", "Shop › Returns", "Shop › Returns › Deep", "Setext"}, headings)
	require.Equal(t, "Welcome to our shop.", document.Sections[1].Text)
	require.Contains(t, document.Sections[2].Text, "https://example.com/returns")
	require.Equal(t, "func main() {}", document.Sections[3].Text)
	require.Contains(t, document.Sections[4].Text, "99 zł")
}

func TestTextIsConvertedToUTF8(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ charset, content string }{
		"UTF-8":           {"", "zażółć gęślą jaźń, zażółć gęślą jaźń"},
		"byte order mark": {"", "\xef\xbb\xbfzażółć gęślą jaźń"},
		"UTF-16, little":  {"", "\xff\xfez\x00a\x00|\x01\xf3\x00B\x01\x07\x01"},
		"UTF-16, big":     {"", "\xfe\xff\x00z\x00a\x01|\x00\xf3\x01B\x01\x07"},
		"windows-1250":    {"windows-1250", "za\xbf\xf3\xb3\xe6"},
		"ISO 8859-2":      {"iso-8859-2", "za\xbf\xf3\xb3\xe6"},
	} {
		document := read(t, extract.Task{Kind: extract.Text, Charset: test.charset}, test.content)
		require.True(t, strings.HasPrefix(document.Sections[0].Text, "zażółć"), "%s: %q", name, document.Sections[0].Text)
	}
}

func TestReadRejectsInvalidText(t *testing.T) {
	t.Parallel()
	for content, code := range map[string]extract.Code{
		"": extract.NoText, "\r\n \t": extract.NoText, "\xef\xbb\xbf": extract.NoText, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00": extract.Corrupt,
		"text\x00text": extract.Corrupt, strings.Repeat("word ", 2<<20): extract.TooLarge,
	} {
		require.Equal(t, code, blamed(t, extract.Task{Kind: extract.Text}, content), "%.20q", content)
	}
	_, err := extract.Read(t.Context(), extract.Task{Kind: "image/png"}, []byte("x"))
	var blame *extract.Error
	require.Error(t, err)
	require.NotErrorAs(t, err, &blame, "an unknown kind is not the fault of the file")
}

func TestHTMLReadsWhatAVisitorSees(t *testing.T) {
	t.Parallel()
	document := read(t, extract.Task{Kind: extract.HTML, Address: "https://example.com/"}, `<!doctype html><title> Our
		shop </title><style>p { color: red }</style><body><script>alert("hidden 1")</script><noscript>hidden 2</noscript>
		<template><p>hidden 3</p></template><svg><text>hidden 4</text></svg><!-- hidden 5 -->
		<h2>Returns &amp; refunds</h2><p>Within <b>30</b> days&nbsp;&mdash; always.<ul><li>unworn<li>clean</ul>
		<h2>Prices</h2><table><tr><th>Size<td>42</table>`)
	require.Equal(t, "Our shop", document.Title)
	var all strings.Builder
	for _, section := range document.Sections {
		fmt.Fprintf(&all, "%s: %s\n", section.Heading, section.Text)
	}
	for _, want := range []string{"Returns & refunds", "days", "— always.", "unworn", "clean", "Prices", "Size", "42"} {
		require.Contains(t, all.String(), want)
	}
	require.NotContains(t, all.String(), "hidden")
	require.NotContains(t, all.String(), "color")
}

func TestHostileHTMLIsReadOrRejected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content string
		code    extract.Code // empty if it can be read
	}{
		"no text":          {"<html><body><img src=x></body></html>", extract.NoText},
		"scripts only":     {"<script>" + strings.Repeat("x", 1<<20) + "</script>", extract.NoText},
		"deep nesting":     {strings.Repeat("<div>", 100_000) + "text", extract.Corrupt},
		"unclosed tag":     {"<p>text<div class='", ""},
		"entities":         {"<p>" + strings.Repeat("&amp;", 100_000), ""},
		"long attribute":   {"<p title='" + strings.Repeat("x", 1<<20) + "'>text", ""},
		"NUL":              {"<p>te\x00xt", ""},
		"invalid encoding": {"<meta charset=utf-8><p>\xff\xfe\xfd text", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task := extract.Task{Kind: extract.HTML, Address: "https://example.com/"}
			if test.code != "" {
				require.Equal(t, test.code, blamed(t, task, test.content))
				return
			}
			require.NotEmpty(t, read(t, task, test.content).Sections)
		})
	}
}

// pdf returns a PDF with one page for each text. It has no cross-reference table, which
// readers rebuild.
func pdf(texts ...string) string {
	var kids, objects strings.Builder
	for i, text := range texts {
		stream := "BT /F1 12 Tf 72 720 Td (" + text + ") Tj ET"
		fmt.Fprintf(&kids, "%d 0 R ", 10+2*i)
		fmt.Fprintf(&objects, "%d 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>> endobj\n", 10+2*i, 11+2*i)
		fmt.Fprintf(&objects, "%d 0 obj <</Length %d>> stream\n%s\nendstream endobj\n", 11+2*i, len(stream), stream)
	}
	return "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n" +
		fmt.Sprintf("2 0 obj <</Type/Pages/Kids[%s]/Count %d>> endobj\n", kids.String(), len(texts)) +
		"3 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj\n" + objects.String() + "trailer <</Root 1 0 R>>\n%%EOF\n"
}

func TestPDFSectionsAreItsPages(t *testing.T) {
	t.Parallel()
	document := read(t, extract.Task{Kind: extract.PDF}, pdf("First page", "", "Third page"))
	require.Equal(t, []extract.Section{{Page: 1, Text: "First page"}, {Page: 3, Text: "Third page"}}, document.Sections)
}

func TestHostilePDFsAreRejected(t *testing.T) {
	t.Parallel()
	whole := pdf("text")
	for name, test := range map[string]struct {
		content string
		code    extract.Code
	}{
		"not a PDF":      {"hello", extract.Corrupt},
		"header only":    {"%PDF-1.7\n", extract.Corrupt},
		"cut":            {whole[:60], extract.Corrupt},
		"no text":        {pdf(""), extract.NoText},
		"too many pages": {pdf(make([]string, 2001)...), extract.TooMany},
	} {
		require.Equal(t, test.code, blamed(t, extract.Task{Kind: extract.PDF}, test.content), name)
	}
}
