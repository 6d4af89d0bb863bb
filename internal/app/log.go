package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	logBuffer = 64 << 10               // bytes
	logDelay  = 100 * time.Millisecond // longest that a line waits
)

// NewLogger returns a logger of JSON lines, and what writes the last of them. Lines
// are written together, a tenth of a second late at most; warnings and errors at
// once.
func NewLogger(to io.Writer, level string) (log *slog.Logger, flush func(), err error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, fmt.Errorf("log level: %w", err)
	}
	w := &delayed{buffer: bufio.NewWriterSize(to, logBuffer)}
	return slog.New(urgent{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}), w}), w.flush, nil
}

// delayed gathers lines and writes them together.
type delayed struct {
	mu      sync.Mutex
	buffer  *bufio.Writer
	waiting bool
}

// Write implements io.Writer.
func (d *delayed) Write(line []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting {
		d.waiting = true
		time.AfterFunc(logDelay, d.flush)
	}
	return d.buffer.Write(line)
}

func (d *delayed) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = false
	_ = d.buffer.Flush() // there is no other place to say it
}

// urgent writes warnings and errors at once, with all that came before them.
type urgent struct {
	slog.Handler

	lines *delayed
}

// Handle implements slog.Handler.
func (u urgent) Handle(ctx context.Context, record slog.Record) error {
	err := u.Handler.Handle(ctx, record)
	if record.Level >= slog.LevelWarn {
		u.lines.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (u urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgent{u.Handler.WithAttrs(attrs), u.lines}
}

// WithGroup implements slog.Handler.
func (u urgent) WithGroup(name string) slog.Handler {
	return urgent{u.Handler.WithGroup(name), u.lines}
}

// warnings passes on what a library warns of, and not what it is doing all the time.
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
