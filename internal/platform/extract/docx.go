package extract

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"

	"github.com/fumiama/go-docx"
)

const (
	maxEntries  = 5000
	oleMagic    = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" // what Word makes of an encrypted document
	headingName = "heading"
)

// readDOCX reads a document of Word, its headings by their styles.
func readDOCX(content []byte) (Document, error) {
	if bytes.HasPrefix(content, []byte(oleMagic)) {
		return Document{}, failed(Encrypted, "It is protected by a password.")
	}
	if err := unpacks(content); err != nil {
		return Document{}, err
	}
	file, err := docx.Parse(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return Document{}, failed(Corrupt, "It cannot be read as a DOCX document.")
	}
	b := &builder{}
	for _, item := range file.Document.Body.Items {
		switch item := item.(type) {
		case *docx.Paragraph:
			b.word(item)
		case *docx.Table:
			for _, row := range item.TableRows {
				for _, cell := range row.TableCells {
					for _, paragraph := range cell.Paragraphs {
						b.word(paragraph)
					}
				}
			}
		}
	}
	return b.document(), nil
}

func (b *builder) word(p *docx.Paragraph) {
	text := p.String()
	if p.Properties != nil && p.Properties.Style != nil {
		style := strings.ToLower(strings.ReplaceAll(p.Properties.Style.Val, " ", ""))
		if style == "title" {
			b.heading(1, text)
			return
		}
		if level, ok := strings.CutPrefix(style, headingName); ok && len(level) == 1 && level[0] >= '1' && level[0] <= '9' {
			b.heading(int(level[0]-'0'), text)
			return
		}
	}
	b.paragraph(text)
}

// unpacks reads a ZIP through, holding nothing, and refuses one that unpacks to more
// than fits: what it says of its sizes may be a lie.
func unpacks(content []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return failed(Corrupt, "It cannot be unpacked.")
	}
	if len(archive.File) > maxEntries {
		return failed(TooLarge, "It holds more than %d parts.", maxEntries)
	}
	left := int64(maxUnpacked)
	for _, part := range archive.File {
		if part.Flags&1 != 0 {
			return failed(Encrypted, "It is protected by a password.")
		}
		reader, err := part.Open()
		if err != nil {
			return failed(Corrupt, "It cannot be unpacked.")
		}
		n, err := io.Copy(io.Discard, io.LimitReader(reader, left+1))
		_ = reader.Close() // all was read that is wanted
		if left -= n; left < 0 {
			return failed(TooLarge, "It unpacks to more than %d MiB.", maxUnpacked>>20)
		}
		if err != nil {
			return failed(Corrupt, "It cannot be unpacked.")
		}
	}
	return nil
}
