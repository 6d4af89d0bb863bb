// Package extract reads the text out of files. Files of users are hostile: each is
// read by a process of its own, with bounds on memory, time and output, whose death
// harms nothing (see Runner). This file is what that process does.
package extract

import (
	"context"
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

// Code is why a file cannot be read.
type Code string

// Codes, as the document's KnowledgeJobError names them.
const (
	Encrypted   Code = "encrypted_file"
	Corrupt     Code = "corrupt_file"
	TooMany     Code = "too_many_pages"
	TooLarge    Code = "too_large_unpacked"
	NoText      Code = "no_text"
	ParserDied  Code = "parser_failed"
	TimedOut    Code = "timed_out"
	maxPages         = 2000
	maxUnpacked      = 128 << 20 // bytes of what a file unpacks to
	maxText          = 8 << 20   // bytes of text
)

// Section is a part of a file under one heading, or one page.
type Section struct {
	Heading string `json:"heading,omitempty"`
	Page    int    `json:"page,omitempty"` // from 1; 0 where there are no pages
	Text    string `json:"text"`
}

// Error says why a file cannot be read, for its owner.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error says code and message.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

func failed(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Document is what was read.
type Document struct {
	Title    string    `json:"title,omitempty"`
	Sections []Section `json:"sections"`
}

// Read reads the text out of a file; address is where a page stands, or empty. It
// fails with an *Error where the file is to blame.
func Read(ctx context.Context, kind Kind, content []byte, address string) (Document, error) {
	var document Document
	var err error
	switch kind {
	case PDF:
		document, err = readPDF(ctx, content)
	case DOCX:
		document, err = readDOCX(content)
	case HTML:
		document, err = readHTML(content, address)
	case Text:
		document, err = readText(content)
	case Markdown:
		document, err = readMarkdown(content)
	default:
		return Document{}, fmt.Errorf("extract: unknown kind %q", kind)
	}
	if err != nil {
		return Document{}, err
	}
	return document, check(document)
}

// check refuses documents without text and with too much.
func check(d Document) error {
	total := 0
	for _, section := range d.Sections {
		if !utf8.ValidString(section.Text) {
			return errors.New("extract: a section is not UTF-8")
		}
		total += len(section.Text)
	}
	switch {
	case total == 0:
		return failed(NoText, "There is no text in it. A scanned document must go through text recognition first.")
	case total > maxText:
		return failed(TooLarge, "It holds more than %d MiB of text.", maxText>>20)
	}
	return nil
}
