// Package page paginates lists. A cursor names the last row of a page and is bound to its
// list: a cursor that was altered, or is used with another sort order, filter or
// workspace, is rejected.
package page

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/id"
)

// ErrInvalidCursor means that a cursor was altered or belongs to another list.
var ErrInvalidCursor = errors.New("page: invalid cursor")

// DefaultLimit is the number of rows on a page if the caller sets no limit.
const DefaultLimit = 50

const (
	version   = 1
	wrapped   = 2 // version of the cursors of other services
	macSize   = 16
	bodySize  = 1 + 2 + 16 // version, score, id
	topScore  = 101        // above every score: where a list by score starts
	cursorLen = bodySize + macSize
)

// Position is where a page starts: after this row.
type Position struct {
	Score int16 // -1 for a row without one; unused by lists that do not sort by it
	ID    uuid.UUID
}

// Start is the position before the first row.
func Start() Position { return Position{Score: topScore, ID: id.Max} }

// Request is a request for one page of a list.
type Request struct {
	Limit  *int32  // DefaultLimit when nil; the validator keeps it within 1 to 200
	Cursor *string // the first page when nil
}

// Size returns the requested number of rows.
func (r Request) Size() int32 {
	if r.Limit == nil {
		return DefaultLimit
	}
	return *r.Limit
}

// Codec encodes and decodes cursors. It is safe for concurrent use.
type Codec struct{ keys [][]byte } // newest first

// NewCodec returns a codec that signs cursors with key, and also verifies those signed
// with older keys. All replicas must use the same keys.
func NewCodec(key []byte, older ...[]byte) *Codec {
	codec := &Codec{}
	for _, one := range append([][]byte{key}, older...) {
		mac := hmac.New(sha256.New, one)
		mac.Write([]byte("convo page cursor"))
		codec.keys = append(codec.keys, mac.Sum(nil))
	}
	return codec
}

// List identifies a list: the workspace, its name, sort order and filters.
type List struct {
	Workspace uuid.UUID
	Name      string
	Filters   []string
}

// Encode returns the cursor of the page after a position.
func (c *Codec) Encode(list List, at Position) string {
	token := make([]byte, bodySize, cursorLen)
	token[0] = version
	binary.BigEndian.PutUint16(token[1:], uint16(at.Score))
	copy(token[3:], at.ID[:])
	token = append(token, mac(c.keys[0], list, token)...)
	return base64.RawURLEncoding.EncodeToString(token)
}

// Decode returns where the requested page starts, or ErrInvalidCursor.
func (c *Codec) Decode(list List, request Request) (Position, error) {
	if request.Cursor == nil {
		return Start(), nil
	}
	// The decoder ignores line breaks: the length excludes them.
	token, err := base64.RawURLEncoding.Strict().DecodeString(*request.Cursor)
	if err != nil || len(*request.Cursor) != base64.RawURLEncoding.EncodedLen(cursorLen) || len(token) != cursorLen || token[0] != version ||
		!c.signed(list, token) {
		return Position{}, ErrInvalidCursor
	}
	return Position{
		Score: int16(binary.BigEndian.Uint16(token[1:])),
		ID:    uuid.UUID(token[3:bodySize]),
	}, nil
}

// Wrap returns the cursor of the page after a cursor of another service, from which the list
// comes.
func (c *Codec) Wrap(list List, after string) string {
	token := append([]byte{wrapped}, after...)
	token = append(token, mac(c.keys[0], list, token)...)
	return base64.RawURLEncoding.EncodeToString(token)
}

// Unwrap returns the cursor of the other service, which is empty for the first page, or
// ErrInvalidCursor.
func (c *Codec) Unwrap(list List, request Request) (after string, err error) {
	if request.Cursor == nil {
		return "", nil
	}
	// The decoder ignores line breaks: the length excludes them.
	token, err := base64.RawURLEncoding.Strict().DecodeString(*request.Cursor)
	if err != nil || len(*request.Cursor) != base64.RawURLEncoding.EncodedLen(len(token)) || len(token) <= 1+macSize || token[0] != wrapped ||
		!c.signed(list, token) {
		return "", ErrInvalidCursor
	}
	return string(token[1 : len(token)-macSize]), nil
}

// signed reports whether one of the keys signed a cursor.
func (c *Codec) signed(list List, token []byte) bool {
	body := len(token) - macSize
	for _, key := range c.keys {
		if hmac.Equal(token[body:], mac(key, list, token[:body])) {
			return true
		}
	}
	return false
}

func mac(key []byte, list List, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	mac.Write(list.Workspace[:])
	mac.Write([]byte(list.Name + "\x00" + strings.Join(list.Filters, "\x00")))
	return mac.Sum(nil)[:macSize]
}

// Page is a page of a list. Next is the cursor of the next page, nil on the last one.
type Page[Row any] struct {
	Rows []Row
	Next *string
}

// Cut returns a page of rows that were read with a limit of one more than its size: the
// extra row shows that there is another page.
func Cut[Row any](codec *Codec, list List, request Request, rows []Row, at func(Row) Position) Page[Row] {
	size := int(request.Size())
	if len(rows) <= size {
		return Page[Row]{Rows: rows}
	}
	rows = rows[:size]
	next := codec.Encode(list, at(rows[size-1]))
	return Page[Row]{Rows: rows, Next: &next}
}

// ByID reads a page of a list that is sorted by id, newest first. It returns
// ErrInvalidCursor or the wrapped error of read.
func ByID[Row any](ctx context.Context, codec *Codec, list List, request Request,
	read func(ctx context.Context, before uuid.UUID, limit int32) ([]Row, error), rowID func(Row) uuid.UUID,
) (Page[Row], error) {
	from, err := codec.Decode(list, request)
	if err != nil {
		return Page[Row]{}, err
	}
	rows, err := read(ctx, from.ID, request.Size()+1)
	if err != nil {
		return Page[Row]{}, fmt.Errorf("list %s: %w", list.Name, err)
	}
	return Cut(codec, list, request, rows, func(row Row) Position { return Position{ID: rowID(row)} }), nil
}
