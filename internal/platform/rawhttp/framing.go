package rawhttp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrTwoLengths means that a request has both a Content-Length and a Transfer-Encoding.
// Proxies disagree about where such a request ends, and so hide requests in its body
// (RFC 9112, section 11.2). net/http accepts it without a trace.
var ErrTwoLengths = errors.New("both Content-Length and Transfer-Encoding are set")

// ErrLength means that it cannot be told where a request ends.
var ErrLength = errors.New("the length of the body is not valid")

// part is what the next bytes of a connection belong to.
type part int

const (
	requestLine part = iota
	header
	body      // rest bytes of it are left
	chunkSize // a line, before each chunk
	chunkEnd  // a line, after each chunk
	trailer
)

// maxKept is how much of a line is kept: names and lengths are shorter.
const maxKept = 48

// framing follows where the requests on a connection begin and end. It keeps the
// beginning of a line only, and allocates nothing.
type framing struct {
	at      part
	rest    int64 // bytes left of a body or chunk
	line    [maxKept]byte
	kept    int   // bytes of line
	length  int64 // Content-Length, or -1
	chunked bool  // a Transfer-Encoding was seen
}

// scan reads what has arrived. It returns how many bytes may be passed on, and an error if
// there are bytes that must not be.
func (f *framing) scan(b []byte) (int, error) {
	passed := 0
	for passed < len(b) {
		left := b[passed:]
		if f.at == body || f.at == chunkSize && f.rest > 0 {
			n := min(f.rest, int64(len(left)))
			f.rest -= n
			passed += int(n)
			if f.rest == 0 && f.at == body {
				f.at = requestLine
			} else if f.rest == 0 {
				f.at = chunkEnd
			}
			continue
		}
		end := bytes.IndexByte(left, '\n')
		if end < 0 {
			f.keep(left)
			return len(b), nil
		}
		f.keep(left[:end])
		if err := f.endLine(); err != nil {
			return passed, err
		}
		passed += end + 1
	}
	return passed, nil
}

// keep adds to the line as far as there is space.
func (f *framing) keep(b []byte) { f.kept += copy(f.line[f.kept:], b) }

// endLine reads a complete line, or its beginning.
func (f *framing) endLine() error {
	line := bytes.TrimSuffix(f.line[:f.kept], []byte("\r"))
	f.kept = 0
	switch f.at {
	case requestLine:
		if len(line) > 0 { // net/http skips empty lines after a POST
			f.at, f.length, f.chunked = header, -1, false
		}
	case header:
		if len(line) == 0 {
			f.endHead()
			return nil
		}
		return f.field(line)
	case chunkSize:
		return f.startChunk(line)
	case chunkEnd:
		f.at = chunkSize
	case trailer:
		if len(line) == 0 {
			f.at = requestLine
		}
	case body: // has no lines
	}
	return nil
}

// field reads a header line.
func (f *framing) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		f.chunked = true
	case bytes.EqualFold(name, []byte("Content-Length")):
		length, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 63)
		if err != nil || len(line) == maxKept { // the rest of the line is not known
			return ErrLength
		}
		f.length = int64(length)
	}
	if f.chunked && f.length >= 0 {
		return ErrTwoLengths
	}
	return nil
}

// endHead begins the body that the header has announced.
func (f *framing) endHead() {
	switch {
	case f.chunked:
		f.at = chunkSize
	case f.length > 0:
		f.at, f.rest = body, f.length
	default:
		f.at = requestLine
	}
}

// startChunk reads the line before a chunk: its size, in hexadecimal, and extensions.
func (f *framing) startChunk(line []byte) error {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 63)
	switch {
	case err != nil:
		return fmt.Errorf("%w: a chunk has no size", ErrLength)
	case size == 0:
		f.at = trailer
	default:
		f.rest = int64(size)
	}
	return nil
}
