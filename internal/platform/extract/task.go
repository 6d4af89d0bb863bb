package extract

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"time"

	"golang.org/x/net/html"
)

// Task tells the reader process what the bytes are that it gets.
type Task struct {
	Kind Kind `json:"kind"`
	// Charset is the encoding that the server of a page declared; empty if it did not.
	Charset string `json:"charset,omitempty"`
	// Encoding is the Content-Encoding: empty or gzip.
	Encoding string `json:"encoding,omitempty"`
	// Address is where a page is, without a fragment; its links are relative to it.
	Address string `json:"address,omitempty"`
	// Robot is whose rules to read in a robots.txt.
	Robot string `json:"robot,omitempty"`
	// Action is set by the Runner.
	Action action `json:"action"`
}

// action is what the reader process does.
type action string

const (
	readDocument action = "document"
	readWebPage  action = "page"
	readSitemap  action = "sitemap"
	readRobots   action = "robots"
	readEmail    action = "email"
	tryLimits    action = "probe"
)

// limit is the longest content of the task, in bytes.
func (t Task) limit() int64 {
	if t.Action == readEmail {
		return MaxMessage
	}
	return maxFile
}

// timeLimit is how long the task may take.
func (t Task) timeLimit() time.Duration {
	if t.Action == readEmail {
		return emailTimeLimit
	}
	return timeLimit
}

// contentType returns the media type of the content with its charset.
func (t Task) contentType() string {
	if t.Charset == "" {
		return string(t.Kind)
	}
	return mime.FormatMediaType(string(t.Kind), map[string]string{"charset": t.Charset})
}

// reply is what the reader process writes. Error says why the content cannot be read.
type reply struct {
	Index       *Index       `json:"index,omitzero"`
	Page        *Page        `json:"page,omitzero"`
	Sitemap     *Sitemap     `json:"sitemap,omitzero"`
	Robots      *Robots      `json:"robots,omitzero"`
	Message     *Message     `json:"message,omitzero"`
	Protections *Protections `json:"protections,omitzero"`
	Error       *Error       `json:"error,omitzero"`
}

// pdfReader reads a PDF. It is started before the process gives up the file system.
type pdfReader func(content []byte) (Document, error)

// Read reads the text of a file in this process, for the tests. It returns an *Error if
// the file is to blame.
func Read(ctx context.Context, task Task, content []byte) (Document, error) {
	var pdf pdfReader
	if task.Kind == PDF {
		started, stop, err := startPDF(ctx)
		if err != nil {
			return Document{}, err
		}
		defer stop()
		pdf = started
	}
	return task.document(pdf, content)
}

func (t Task) document(pdf pdfReader, content []byte) (document Document, err error) {
	switch t.Kind {
	case PDF:
		document, err = pdf(content)
	case DOCX:
		document, err = readDOCX(content)
	case HTML:
		var root *html.Node
		if root, err = parseHTML(content, t.contentType()); err == nil {
			document, err = readHTML(root, t.Address)
		}
	case Text:
		document, err = readText(content, t.contentType())
	case Markdown:
		document, err = readMarkdown(content, t.contentType())
	default:
		return Document{}, fmt.Errorf("extract: unknown kind %q", t.Kind)
	}
	if err != nil {
		return Document{}, err
	}
	return document, document.check(maxText)
}

// perform runs the task on the content as it came.
func (t Task) perform(pdf pdfReader, content []byte) (said reply, err error) {
	if t.Action != readDocument {
		content, err = decompress(content, t.Encoding)
	}
	if err == nil {
		switch t.Action {
		case readDocument:
			said.Index, err = t.index(pdf, content)
		case readWebPage:
			var page Page
			page, err = t.page(content)
			said.Page = &page
		case readSitemap:
			said.Sitemap, err = t.sitemap(content)
		case readRobots:
			said.Robots, err = t.robots(content)
		case readEmail:
			var message Message
			message, err = readMessage(content)
			said.Message = &message
		case tryLimits:
			said.Protections = &Protections{}
		default:
			err = fmt.Errorf("extract: unknown action %q", t.Action)
		}
	}
	if blame, ok := errors.AsType[*Error](err); ok {
		return reply{Error: blame}, nil
	}
	return said, err
}
