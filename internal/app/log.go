package app

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	logBuffer = 64 << 10               // bytes
	logDelay  = 100 * time.Millisecond // longest delay of a line
)

// NewLogger returns a logger of JSON lines, and a function that flushes it. Lines are
// buffered for up to 100 ms and written together; warnings and errors are flushed
// immediately.
func NewLogger(to io.Writer, level string) (log *slog.Logger, flush func(), err error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, errors.New("the log level must be debug, info, warn or error")
	}
	w := &buffered{lines: bufio.NewWriterSize(to, logBuffer)}
	return slog.New(flushing{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}), w}), w.flush, nil
}

// buffered collects lines and writes them together.
type buffered struct {
	mu        sync.Mutex
	lines     *bufio.Writer
	scheduled bool // a flush is due
}

// Write implements io.Writer.
func (b *buffered) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.scheduled {
		b.scheduled = true
		time.AfterFunc(logDelay, b.flush)
	}
	return b.lines.Write(line)
}

func (b *buffered) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scheduled = false
	_ = b.lines.Flush() // there is nowhere else to report it
}

// flushing flushes the buffer after each warning and error.
type flushing struct {
	slog.Handler

	buffer *buffered
}

// Handle implements slog.Handler.
func (f flushing) Handle(ctx context.Context, record slog.Record) error {
	err := f.Handler.Handle(ctx, record)
	if record.Level >= slog.LevelWarn {
		f.buffer.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (f flushing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return flushing{f.Handler.WithAttrs(attrs), f.buffer}
}

// WithGroup implements slog.Handler.
func (f flushing) WithGroup(name string) slog.Handler {
	return flushing{f.Handler.WithGroup(name), f.buffer}
}

// warnings returns a logger that drops a library's records below warning.
func warnings(log *slog.Logger) *slog.Logger { return slog.New(quiet{log.Handler()}) }

type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
