package extract_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/bomb"
)

const (
	wordXML = `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><w:body>`
	wordEnd = `</w:body></w:document>`
)

// zipped returns a ZIP archive of named parts.
func zipped(t *testing.T, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for name, content := range parts {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if content == "" {
			header.Method = zip.Store // packing thousands of empty parts takes a minute with the race detector
		}
		part, err := archive.CreateHeader(header)
		require.NoError(t, err)
		_, err = io.WriteString(part, content)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return b.Bytes()
}

// understated is an archive whose main part unpacks to more than it declares.
func understated(t *testing.T) []byte {
	t.Helper()
	var packed, b bytes.Buffer
	packer, err := flate.NewWriter(&packed, flate.BestSpeed)
	require.NoError(t, err)
	_, err = io.WriteString(packer, wordXML+strings.Repeat(" ", 1<<20)+wordEnd)
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	archive := zip.NewWriter(&b)
	part, err := archive.CreateRaw(&zip.FileHeader{
		Name: "word/document.xml", Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: 1 << 10,
	})
	require.NoError(t, err)
	_, err = part.Write(packed.Bytes())
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return b.Bytes()
}

func readDOCX(t *testing.T, content []byte) (extract.Document, error) {
	t.Helper()
	return extract.Read(t.Context(), extract.Task{Kind: extract.DOCX}, content)
}

func TestDOCXParagraphsFollowTheirHeadings(t *testing.T) {
	t.Parallel()
	document, err := readDOCX(t, zipped(t, map[string]string{
		// Word translates style ids; the names in styles.xml stay English.
		"word/styles.xml": `<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
			<w:style w:styleId="Tytu"><w:name w:val="Title"/></w:style>
			<w:style w:styleId="Nagwek2"><w:name w:val="heading 2"/></w:style>
			<w:style w:styleId="Heading3"><w:name w:val="Body of text"/></w:style></w:styles>`,
		"word/document.xml": wordXML +
			`<w:p><w:pPr><w:pStyle w:val="Tytu"/></w:pPr><w:r><w:t>Handbook</w:t></w:r></w:p>` +
			`<w:p><w:pPr><w:pStyle w:val="Nagwek2"/></w:pPr><w:r><w:t>Returns</w:t></w:r></w:p>` +
			`<w:p><w:r><w:t>Within</w:t><w:tab/><w:t xml:space="preserve">thirty </w:t></w:r><w:r><w:t>days&amp;nights.</w:t></w:r></w:p>` +
			`<w:tbl><w:tr><w:tc><w:p><w:pPr><w:pStyle w:val="Heading3"/></w:pPr><w:r><w:t>Cell one</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Cell two</w:t></w:r></w:p></w:tc></w:tr></w:tbl>` +
			`<w:p><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del><w:r><w:instrText>PAGEREF</w:instrText></w:r></w:p>` + wordEnd,
	}))
	require.NoError(t, err)
	require.Equal(t, extract.Document{Title: "Handbook", Sections: []extract.Section{
		{Heading: "Handbook › Returns", Text: "Within thirty days&nights.\n\nCell one\n\nCell two"},
	}}, document)
}

func TestDOCXTextBoxIsReadOnce(t *testing.T) {
	t.Parallel()
	box := `<w:txbxContent><w:p><w:r><w:t>Inside the box</w:t></w:r></w:p></w:txbxContent>`
	document, err := readDOCX(t, zipped(t, map[string]string{"word/document.xml": wordXML +
		`<w:p><w:r><w:t>Before </w:t><mc:AlternateContent><mc:Choice>` + box + `</mc:Choice><mc:Fallback>` + box + `</mc:Fallback></mc:AlternateContent><w:t>after.</w:t></w:r></w:p>` +
		`<a:p><a:r><a:t>a chart's label</a:t></a:r></a:p>` + wordEnd}))
	require.NoError(t, err)
	require.Equal(t, "Inside the box\n\nBefore after.", document.Sections[0].Text)
}

func TestDOCXMainPartIsFoundByItsRelationship(t *testing.T) {
	t.Parallel()
	document, err := readDOCX(t, zipped(t, map[string]string{
		"_rels/.rels":    `<Relationships><Relationship Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="/doc/main.xml"/></Relationships>`,
		"doc/main.xml":   wordXML + `<w:p><w:pPr><w:pStyle w:val="H"/></w:pPr><w:r><w:t>A heading</w:t></w:r></w:p><w:p><w:r><w:t>The text</w:t></w:r></w:p>` + wordEnd,
		"doc/styles.xml": `<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:styleId="H"><w:name w:val="heading 1"/></w:style></w:styles>`,
	}))
	require.NoError(t, err)
	require.Equal(t, []extract.Section{{Heading: "A heading", Text: "The text"}}, document.Sections)
}

func TestDOCXThatCannotBeReadIsBlamed(t *testing.T) {
	t.Parallel()
	manyParts := map[string]string{}
	for i := range 5001 {
		manyParts[strings.Repeat("x", i+1)] = ""
	}
	paragraph := `<w:p><w:r><w:t>text</w:t></w:r></w:p>`
	for name, test := range map[string]struct {
		content []byte
		code    extract.Code
	}{
		"not an archive":      {[]byte("PK\x03\x04 but nothing else"), extract.Corrupt},
		"no main part":        {zipped(t, map[string]string{"[Content_Types].xml": "<Types/>"}), extract.Corrupt},
		"encrypted":           {[]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and what follows"), extract.Encrypted},
		"cut XML":             {zipped(t, map[string]string{"word/document.xml": wordXML + paragraph}), extract.Corrupt},
		"undefined entity":    {zipped(t, map[string]string{"word/document.xml": `<!DOCTYPE d [<!ENTITY e "ha">]>` + wordXML + "<w:p>&e;</w:p>" + wordEnd}), extract.Corrupt},
		"too deep":            {zipped(t, map[string]string{"word/document.xml": wordXML + strings.Repeat("<w:p>", 300) + strings.Repeat("</w:p>", 300) + wordEnd}), extract.Corrupt},
		"too many parts":      {zipped(t, manyParts), extract.TooLarge},
		"unpacks to too much": {bomb.Zip(t, 129, "word/document.xml"), extract.TooLarge},
		"styles are a bomb":   {bomb.Zip(t, 129, "word/styles.xml"), extract.TooLarge},
		"declares too little": {understated(t), extract.Corrupt},
		"no text":             {zipped(t, map[string]string{"word/document.xml": wordXML + "<w:p/>" + wordEnd}), extract.NoText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readDOCX(t, test.content)
			var blame *extract.Error
			require.ErrorAs(t, err, &blame)
			require.Equal(t, test.code, blame.Code, blame.Message)
			require.NotEmpty(t, blame.Message)
		})
	}
}
