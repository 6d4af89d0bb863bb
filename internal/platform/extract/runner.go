package extract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

const (
	// Command is the subcommand of the binary that reads one file: its kind follows,
	// the file comes on standard input, and a reply goes to standard output.
	Command     = "extract"
	maxFile     = 10 << 20
	maxReply    = 3 * maxText // JSON escapes
	timeLimit   = time.Minute
	memoryLimit = 768 << 20 // bytes of memory of the reading process
	goMemory    = "512MiB"
)

// reply is what the reading process says.
type reply struct {
	Document *Document `json:"document,omitempty"`
	Error    *Error    `json:"error,omitempty"`
}

// Main is the reading process: it reads a file of a kind from in and replies on out.
func Main(ctx context.Context, kind, address string, in io.Reader, out io.Writer) error {
	if err := limitMemory(memoryLimit); err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	var said reply
	document, err := Read(ctx, Kind(kind), content, address)
	if blame, ok := errors.AsType[*Error](err); ok {
		said.Error = blame
	} else if err != nil {
		return err
	} else {
		said.Document = &document
	}
	if err := json.NewEncoder(out).Encode(said); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}

// Runner reads files in processes of their own.
type Runner struct {
	// Binary has the subcommand; empty stands for this very program.
	Binary string
}

// Read reads a file of a kind. It fails with an *Error where the file is to blame,
// also where its reader died or took too long.
func (r *Runner) Read(ctx context.Context, kind Kind, file io.Reader) (Document, error) {
	return r.run(ctx, kind, file, "")
}

// ReadPage is Read for a page of a site, whose links are relative to its address.
func (r *Runner) ReadPage(ctx context.Context, kind Kind, content []byte, address string) (Document, error) {
	return r.run(ctx, kind, bytes.NewReader(content), address)
}

func (r *Runner) run(ctx context.Context, kind Kind, file io.Reader, address string) (Document, error) {
	binary := r.Binary
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			return Document{}, fmt.Errorf("own path: %w", err)
		}
		binary = self
	}
	limited, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	cmd := exec.CommandContext(limited, binary, Command, string(kind), address) //nolint:gosec // this very program
	cmd.Stdin = file
	// Nothing of the operator's secrets goes to where users' files are read.
	cmd.Env = []string{"GOMEMLIMIT=" + goMemory, "HOME=" + os.Getenv("HOME"), "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")}
	var out, stderr bounded
	out.limit, stderr.limit = maxReply, 4<<10
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return Document{}, ctx.Err()
	case limited.Err() != nil:
		return Document{}, failed(TimedOut, "Reading it took more than %s.", timeLimit)
	case out.full:
		return Document{}, failed(TooLarge, "It holds more than %d MiB of text.", maxText>>20)
	case err != nil:
		return Document{}, failed(ParserDied, "It could not be read: its reader ran out of memory or failed.")
	}
	var said reply
	if err := json.Unmarshal(out.kept, &said); err != nil || said.Document == nil && said.Error == nil {
		return Document{}, fmt.Errorf("reply of the reading process: %w: %s", err, stderr.kept)
	}
	if said.Error != nil {
		return Document{}, said.Error
	}
	return *said.Document, nil
}

// bounded keeps what is written up to a limit, and refuses more. It is no bytes.Buffer:
// that would read by itself, without end.
type bounded struct {
	kept  []byte
	limit int
	full  bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.limit {
		b.full = true
		return 0, io.ErrShortWrite
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}
