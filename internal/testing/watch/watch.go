// Package watch lets tests wait for text, such as the output of a process, without polling.
package watch

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long Wait waits.
const patience = time.Minute

// Text collects what is written to it. The zero value is empty and ready to use. It is safe
// for concurrent use.
type Text struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced at each write; nil while no one waits
}

// Write implements io.Writer.
func (x *Text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
	return x.text.Write(b)
}

// String returns the text so far.
func (x *Text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

// Wait waits until the text is enough, and returns it. Afterwards it fails the test.
func (x *Text) Wait(tb testing.TB, enough func(text string) bool) string {
	tb.Helper()
	deadline := time.After(patience)
	for {
		text, changed := x.next()
		if enough(text) {
			return text
		}
		select {
		case <-changed:
		case <-deadline:
			tb.Fatalf("not enough was written within %s: %s", patience, text)
		}
	}
}

// WaitFor waits until the text contains a part, and returns it.
func (x *Text) WaitFor(tb testing.TB, part string) string {
	tb.Helper()
	return x.Wait(tb, func(text string) bool { return strings.Contains(text, part) })
}

// next returns the text, and a channel that is closed when it changes.
func (x *Text) next() (string, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.text.String(), x.changed
}
