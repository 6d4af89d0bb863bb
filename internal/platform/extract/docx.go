package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"golang.org/x/net/html/charset"
)

const (
	maxEntries = 5000
	// maxDepth is how deep elements of a DOCX part may nest. Word writes some 30 levels.
	maxDepth     = 256
	mainPart     = "word/document.xml"
	relations    = "_rels/.rels"
	documentLink = "/officeDocument" // how the type of the relationship to the main part ends
	// oleMagic starts the container in which Word stores an encrypted document.
	oleMagic = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"
)

// errUnpacked reports that a ZIP archive unpacks to more than maxUnpacked.
var errUnpacked = errors.New("extract: archive unpacks to too much")

// readDOCX reads the paragraphs of a Word document; their styles tell which are
// headings. A part that unpacks to more than may still be unpacked is refused by the size
// that it declares, before it is opened; package zip returns an error as soon as a part
// unpacks to more than it declares. So a bomb costs neither memory nor time.
func readDOCX(content []byte) (Document, error) {
	if bytes.HasPrefix(content, []byte(oleMagic)) {
		return Document{}, failed(Encrypted, "It is protected by a password.")
	}
	archive, err := openArchive(content)
	if err != nil {
		return Document{}, err
	}
	main, err := archive.mainPart()
	if err != nil {
		return Document{}, blameXML(err)
	}
	styles, err := archive.headingStyles(path.Join(path.Dir(main), "styles.xml"))
	if err != nil {
		return Document{}, blameXML(err)
	}
	body := wordBody{styles: styles, out: &builder{}}
	found, err := archive.decode(main, body.token)
	switch {
	case err != nil:
		return Document{}, blameXML(err)
	case !found:
		return Document{}, failed(Corrupt, "It cannot be read as a DOCX document.")
	}
	return body.out.document(), nil
}

// blameXML converts an error of decoding a part to one for the owner of the file.
func blameXML(err error) error {
	if errors.Is(err, errUnpacked) {
		return failed(TooLarge, "It unpacks to more than %d MiB.", maxUnpacked>>20)
	}
	return failed(Corrupt, "It cannot be read as a DOCX document.")
}

// archive is the ZIP file that a DOCX document is.
type archive struct {
	parts map[string]*zip.File
	left  uint64 // bytes that may still be unpacked
}

func openArchive(content []byte) (*archive, error) {
	file, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, failed(Corrupt, "It cannot be unpacked.")
	}
	if len(file.File) > maxEntries {
		return nil, failed(TooLarge, "It contains more than %d parts.", maxEntries)
	}
	a := &archive{parts: make(map[string]*zip.File, len(file.File)), left: maxUnpacked}
	for _, part := range file.File {
		if part.Flags&1 != 0 {
			return nil, failed(Encrypted, "It is protected by a password.")
		}
		a.parts[strings.TrimPrefix(part.Name, "/")] = part
	}
	return a, nil
}

// decode calls each with the tokens of a part. It reports whether there is such a part.
func (a *archive) decode(name string, each func(xml.Token)) (found bool, err error) {
	part, ok := a.parts[name]
	if !ok {
		return false, nil
	}
	if part.UncompressedSize64 > a.left {
		return true, errUnpacked
	}
	a.left -= part.UncompressedSize64
	content, err := part.Open()
	if err != nil {
		return true, err
	}
	defer content.Close()
	decoder := xml.NewDecoder(content)
	decoder.CharsetReader = charset.NewReaderLabel
	depth := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return true, err
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return true, errors.New("extract: elements nest too deep")
			}
		case xml.EndElement:
			depth--
		}
		each(token)
	}
}

// mainPart returns the name of the part with the text, which the package's
// relationships point to.
func (a *archive) mainPart() (string, error) {
	main := mainPart
	_, err := a.decode(relations, func(token xml.Token) {
		start, ok := token.(xml.StartElement)
		if ok && start.Name.Local == "Relationship" && strings.HasSuffix(attribute(start, "Type"), documentLink) {
			main = path.Clean(strings.TrimPrefix(attribute(start, "Target"), "/"))
		}
	})
	return main, err
}

// headingStyles returns the level of each style by its id, 0 for text. Word translates
// the ids, but not the names.
func (a *archive) headingStyles(name string) (map[string]int, error) {
	levels := map[string]int{}
	var id string
	_, err := a.decode(name, func(token xml.Token) {
		start, ok := token.(xml.StartElement)
		if !ok {
			return
		}
		switch start.Name.Local {
		case "style":
			id = attribute(start, "styleId")
		case "name":
			levels[id] = headingLevel(attribute(start, "val"))
		}
	})
	return levels, err
}

func attribute(element xml.StartElement, name string) string {
	for _, one := range element.Attr {
		if one.Name.Local == name {
			return one.Value
		}
	}
	return ""
}
