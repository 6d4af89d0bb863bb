// Package extract extracts text from untrusted files and web pages. Each file is parsed in
// a separate process, the reader (see Runner), without access to the network or the file
// system and with limits on memory, CPU time and output. A file that crashes or exploits
// the parser cannot affect other files or the server. The reader process runs Read.
package extract

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind is a kind of file, by its media type.
type Kind string

// Kinds that can be read.
const (
	PDF      Kind = "application/pdf"
	DOCX     Kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	HTML     Kind = "text/html"
	Text     Kind = "text/plain"
	Markdown Kind = "text/markdown"
)

// Code says why a file cannot be read. The values are those of KnowledgeJobError in the
// API document.
type Code string

// Codes of errors.
const (
	Encrypted  Code = "encrypted_file"
	Corrupt    Code = "corrupt_file"
	TooMany    Code = "too_many_pages"
	TooLarge   Code = "too_large_unpacked"
	NoText     Code = "no_text"
	ParserDied Code = "parser_failed"
	TimedOut   Code = "timed_out"
)

const (
	maxPages    = 2000
	maxUnpacked = 128 << 20 // bytes that a DOCX file may unpack to
	maxText     = 8 << 20   // bytes of text in a file
	maxPageText = 1 << 20   // bytes of text on a web page
)

// Section is the part of a file under one heading, or one page.
type Section struct {
	Heading string `json:"heading,omitempty"`
	Page    int    `json:"page,omitempty"` // from 1; 0 if the file has no pages
	Text    string `json:"text"`
}

// Error says why a file cannot be read. The message is for the owner of the file.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error returns code and message.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

func failed(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Document is the text of a file.
type Document struct {
	Title    string    `json:"title,omitempty"`
	Sections []Section `json:"sections"`
}

// check refuses documents without text and with more than limit bytes of it.
func (d Document) check(limit int) error {
	total := 0
	for _, section := range d.Sections {
		if !utf8.ValidString(section.Text) {
			return errors.New("extract: a section is not UTF-8")
		}
		total += len(section.Text)
	}
	switch {
	case total == 0:
		return failed(NoText, "It contains no text. Run text recognition on scanned documents first.")
	case total > limit:
		return failed(TooLarge, "It contains more than %d MiB of text.", limit>>20)
	}
	return nil
}
