// Package id generates UUIDs of version 7 (RFC 9562, section 5.7), which sort by the time
// of their creation. Lists are paginated by id alone, so a row's creation time is the one
// in its id.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/platform/clock"
)

// Max is greater than every id: the first page of a list starts there.
var Max = uuid.Max

// Generator generates ids in strictly ascending order within a process. It is safe for
// concurrent use.
type Generator struct {
	clock  clock.Clock
	random io.Reader

	mu   sync.Mutex
	last int64 // milliseconds << 12 | fraction of the last id
}

// NewGenerator returns a generator that reads the time from c.
func NewGenerator(c clock.Clock) *Generator {
	return &Generator{clock: c, random: rand.Reader}
}

// NewSeeded returns a generator that reads its random bits from random, so that the same
// calls return the same ids. New panics when random ends.
func NewSeeded(c clock.Clock, random io.Reader) *Generator {
	return &Generator{clock: c, random: random}
}

// New returns an id and the time in it, in UTC with millisecond precision.
func (g *Generator) New() (uuid.UUID, time.Time) {
	var id uuid.UUID
	stamp := g.stamp(id[8:])
	binary.BigEndian.PutUint64(id[:8], uint64(stamp>>12)<<16|0x7000|uint64(stamp&0xfff))
	id[8] = id[8]&0x3f | 0x80
	return id, time.UnixMilli(stamp >> 12).UTC()
}

// stamp fills tail with random bytes and returns the next stamp. Its low 12 bits are the
// fraction of the millisecond, in 4,096ths. They become a counter when ids are requested
// faster than that, or when the clock was set back.
func (g *Generator) stamp(tail []byte) int64 {
	now := g.clock.Now()
	stamp := now.UnixMilli()<<12 | int64(now.Nanosecond()%1e6)*4096/1e6
	g.mu.Lock()
	defer g.mu.Unlock()
	// crypto/rand never fails.
	if _, err := io.ReadFull(g.random, tail); err != nil {
		panic("id: no random bytes: " + err.Error())
	}
	if stamp <= g.last {
		stamp = g.last + 1
	}
	g.last = stamp
	return stamp
}

// Floor returns the lowest id of a time: ids created at t or later are not below it.
func Floor(t time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return id
}

const hexDigits = "0123456789abcdef"

// AppendJSON appends an id as a JSON string, or null if it is nil.
func AppendJSON(b []byte, id *uuid.UUID) []byte {
	if id == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	for i, octet := range id {
		switch i {
		case 4, 6, 8, 10:
			b = append(b, '-')
		}
		b = append(b, hexDigits[octet>>4], hexDigits[octet&0xf])
	}
	return append(b, '"')
}
