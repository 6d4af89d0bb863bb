//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/go-json-experiment/json/jsontext"
)

// epochMicros is PostgreSQL's epoch, 2000-01-01, in Unix microseconds.
const epochMicros = 946_684_800_000_000

// newRow is a lead to insert.
type newRow struct {
	workspace, id [16]byte
	fields        []byte // JSON
	source        []byte // nil for null
	at            time.Time
}

// parseLead reads the body of a POST. It checks the syntax and nothing else.
func parseLead(body []byte) (*newRow, error) {
	now := time.Now().Truncate(time.Millisecond)
	lead := &newRow{id: newID(now), at: now}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body))
	if token, err := decoder.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, fmt.Errorf("body: not an object: %w", err)
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		isFields := string(name) == `"fields"`
		value, err := decoder.ReadValue()
		switch {
		case err != nil:
			return nil, fmt.Errorf("body: %w", err)
		case isFields:
			lead.fields = bytes.Clone(value)
		default:
			if lead.source, err = jsontext.AppendUnquote(nil, value); err != nil {
				return nil, fmt.Errorf("body: %w", err)
			}
		}
	}
	return lead, nil
}

// newID returns a UUIDv7.
func newID(at time.Time) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000|rand.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&^(3<<62)|1<<63)
	return id
}

// appendTo appends a lead that has just been created.
func (l *newRow) appendTo(b, fields []byte) []byte {
	b = appendID(append(b, `{"id":`...), l.id[:])
	b = append(b, `,"status":"NEW","fields":`...)
	b = append(b, fields...)
	b = append(b, `,"score":null,"source":`...)
	b = appendText(b, l.source)
	b = append(b, `,"conversationId":null,"crmExternalId":null,"createdAt":"`...)
	from := len(b)
	b = appendInstant(b, l.at.UnixMilli())
	instant := b[from:]
	b = append(b, `","updatedAt":"`...)
	b = append(b, instant...)
	return append(b, `"}`...)
}

// appendRow appends a row of floorColumns.
func appendRow(b []byte, row [][]byte) []byte {
	b = appendID(append(b, `{"id":`...), row[0])
	b = append(b, `,"status":"`...)
	b = append(b, row[1]...)
	b = append(b, `","fields":`...)
	b = append(b, row[2]...)
	b = append(b, `,"score":`...)
	if row[3] == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(int16(binary.BigEndian.Uint16(row[3]))), 10)
	}
	b = append(b, `,"source":`...)
	b = appendText(b, row[4])
	b = append(b, `,"conversationId":`...)
	b = appendID(b, row[5])
	b = append(b, `,"crmExternalId":`...)
	b = appendText(b, row[6])
	b = append(b, `,"createdAt":"`...)
	from := len(b)
	b = appendInstant(b, milliseconds2000(row[7]))
	instant := b[from:]
	b = append(b, `","updatedAt":"`...)
	if bytes.Equal(row[7], row[8]) {
		b = append(b, instant...)
	} else {
		b = appendInstant(b, milliseconds2000(row[8]))
	}
	return append(b, `"}`...)
}

// milliseconds2000 converts PostgreSQL's binary timestamp to Unix milliseconds.
func milliseconds2000(raw []byte) int64 {
	return (int64(binary.BigEndian.Uint64(raw)) + epochMicros) / 1000
}

func appendID(b, id []byte) []byte {
	if id == nil {
		return append(b, "null"...)
	}
	var text [38]byte
	text[0], text[37] = '"', '"'
	text[9], text[14], text[19], text[24] = '-', '-', '-', '-'
	hex.Encode(text[1:], id[:4])
	hex.Encode(text[10:], id[4:6])
	hex.Encode(text[15:], id[6:8])
	hex.Encode(text[20:], id[8:10])
	hex.Encode(text[25:], id[10:])
	return append(b, text[:]...)
}

// appendText appends a JSON string. Text that needs no escapes is copied.
func appendText(b, text []byte) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(text))
			if err != nil {
				panic(err) // strings always encode
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// appendInstant appends 2026-04-30T12:00:00.000Z. The date is computed as in Howard
// Hinnant's "chrono-compatible low-level date algorithms".
func appendInstant(b []byte, milliseconds int64) []byte {
	const day = 24 * 60 * 60 * 1000
	days, rest := milliseconds/day+719468, milliseconds%day
	era := days / 146097
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	date, month, year := doy-(153*mp+2)/5+1, mp+3, yoe+era*400
	if month > 12 {
		month, year = month-12, year+1
	}
	seconds := rest / 1000
	text := [24]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 23: 'Z'}
	two(text[0:], year/100)
	two(text[2:], year%100)
	two(text[5:], month)
	two(text[8:], date)
	two(text[11:], seconds/3600)
	two(text[14:], seconds/60%60)
	two(text[17:], seconds%60)
	text[20] = byte('0' + rest%1000/100)
	two(text[21:], rest%100)
	return append(b, text[:]...)
}

func two(b []byte, n int64) { b[0], b[1] = byte('0'+n/10), byte('0'+n%10) }

var (
	gzipEncoding = []string{"gzip"}
	compressors  = sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a valid level
		return w
	}}
)

// compress appends a body, compressed by gzip.
func compress(b, body []byte) []byte {
	out := bytes.NewBuffer(b)
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(out)
	_, _ = w.Write(body) // to a buffer
	_ = w.Close()
	return out.Bytes()
}
