package extract

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxChunk is the length of a passage, in characters. Longer sentences are split.
const maxChunk = 1200

// Passage is a part of a text that a search finds: consecutive sentences under one
// heading or on one page.
type Passage struct {
	Heading string `json:"heading,omitempty"`
	Page    int    `json:"page,omitzero"`
	Text    string `json:"text"`
	// The stems of the words of both, as language.Stems returns them.
	HeadingStems string `json:"headingStems,omitempty"`
	Stems        string `json:"stems,omitempty"`
}

// Chunks splits a document into passages at headings, page breaks and ends of sentences.
func Chunks(d Document) []Passage {
	var chunks []Passage
	for _, section := range d.Sections {
		var b strings.Builder
		size := 0
		flush := func() {
			if text := strings.TrimSpace(b.String()); text != "" {
				chunks = append(chunks, Passage{Heading: section.Heading, Page: section.Page, Text: text})
			}
			b.Reset()
			size = 0
		}
		state := -1
		for rest := section.Text; rest != ""; {
			var sentence string
			sentence, rest, state = uniseg.FirstSentenceInString(rest, state)
			for piece := range pieces(sentence) {
				n := utf8.RuneCountInString(piece)
				if size > 0 && size+n > maxChunk {
					flush()
				}
				b.WriteString(piece)
				size += n
			}
		}
		flush()
	}
	return chunks
}

// pieces splits a sentence that is too long for a passage, at spaces if it has any.
func pieces(sentence string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for utf8.RuneCountInString(sentence) > maxChunk {
			at := 0
			for range maxChunk {
				_, n := utf8.DecodeRuneInString(sentence[at:])
				at += n
			}
			if space := strings.LastIndexByte(sentence[:at], ' '); space > 0 {
				at = space + 1
			}
			if !yield(sentence[:at]) {
				return
			}
			sentence = sentence[at:]
		}
		if sentence != "" {
			yield(sentence)
		}
	}
}
