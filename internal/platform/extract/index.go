package extract

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/avelto/convo/internal/platform/language"
)

const (
	// maxPassages and maxPagePassages are how many passages a file and a web page may have.
	// A text that is divided by very many headings has more than its length suggests.
	maxPassages     = 20_000
	maxPagePassages = 5000
	// maxHeading is how many characters of a heading are kept: each passage repeats it.
	maxHeading = 300
	// ownLanguage is the length in bytes from which the language of a passage is detected.
	// Shorter passages have the language of their document, which sampled passages tell.
	ownLanguage = 200
	sampled     = 8
)

// Index is the text of a file or page, ready to be stored for a search.
type Index struct {
	Passages []Passage `json:"passages,omitempty"`
	// Hash is that of the text. It tells whether a page has changed.
	Hash []byte `json:"hash,omitempty"`
}

// index reads a file.
func (t Task) index(pdf pdfReader, content []byte) (*Index, error) {
	document, err := t.document(pdf, content)
	if err != nil {
		return nil, err
	}
	index, err := newIndex(document, maxPassages)
	return &index, err
}

// newIndex splits a document into passages, at most limit, and stems their words.
func newIndex(document Document, limit int) (Index, error) {
	sum := sha256.New()
	for i, section := range document.Sections {
		fmt.Fprintf(sum, "%s\x00%s\x00", section.Heading, section.Text)
		document.Sections[i].Heading = shorten(section.Heading)
	}
	passages := Chunks(document)
	if len(passages) > limit {
		return Index{}, failed(TooLarge, "It has more than %d passages.", limit)
	}
	languages := language.NewDetector(sample(passages))
	for i := range passages {
		passages[i].stem(languages)
	}
	return Index{Passages: passages, Hash: sum.Sum(nil)}, nil
}

// shorten cuts a heading after maxHeading characters.
func shorten(heading string) string {
	if utf8.RuneCountInString(heading) <= maxHeading {
		return heading
	}
	return string([]rune(heading)[:maxHeading])
}

func sample(passages []Passage) string {
	var b strings.Builder
	for _, one := range passages[:min(len(passages), sampled)] {
		b.WriteString(one.Text)
	}
	return b.String()
}

// stem sets the stems of a passage, in its own language if it is long enough to tell.
func (p *Passage) stem(languages language.Detector) {
	in := languages.Main
	if len(p.Text) >= ownLanguage {
		in = languages.Detect(p.Text)
	}
	p.HeadingStems, p.Stems = language.Stems(p.Heading, in), language.Stems(p.Text, in)
}
