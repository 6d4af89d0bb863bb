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
	// Command is the subcommand of the binary that runs Main.
	Command      = "extract"
	maxReply     = 3 * maxText // JSON escapes characters
	maxPageReply = 3*maxPageText + 2*maxLinks*2048
	timeLimit    = time.Minute
	cpuLimit     = time.Minute
	memoryLimit  = 768 << 20 // bytes
	goMemory     = "512MiB"
	waitDelay    = 5 * time.Second
)

// Runner opens files and pages in reader processes.
type Runner struct {
	// Binary has the subcommand; empty means this program.
	Binary string
}

// Read reads the text of a file. It returns an *Error if the file is to blame, and also
// if its reader died or took too long.
func (r *Runner) Read(ctx context.Context, kind Kind, file io.Reader) (Document, error) {
	said, err := r.run(ctx, Task{Action: readDocument, Kind: kind}, file, maxReply)
	if err != nil {
		return Document{}, err
	}
	if said.Document == nil {
		return Document{}, errNoReply
	}
	return *said.Document, nil
}

// ReadPage reads text and links of a web page. It returns an *Error like Read; a page
// without text is none.
func (r *Runner) ReadPage(ctx context.Context, task Task, content []byte) (Page, error) {
	task.Action = readWebPage
	said, err := r.run(ctx, task, bytes.NewReader(content), maxPageReply)
	if err != nil {
		return Page{}, err
	}
	if said.Page == nil {
		return Page{}, errNoReply
	}
	return *said.Page, nil
}

// ReadSitemap reads a sitemap. It returns an *Error like Read.
func (r *Runner) ReadSitemap(ctx context.Context, task Task, content []byte) (Sitemap, error) {
	task.Action = readSitemap
	said, err := r.run(ctx, task, bytes.NewReader(content), 2*maxSitemapURLs*2048)
	if err != nil {
		return Sitemap{}, err
	}
	if said.Sitemap == nil {
		return Sitemap{}, errNoReply
	}
	return *said.Sitemap, nil
}

// Protections starts a reader process that reports what it cannot do.
func (r *Runner) Protections(ctx context.Context) (Protections, error) {
	said, err := r.run(ctx, Task{Action: tryLimits}, bytes.NewReader(nil), maxPageReply)
	if err != nil {
		return Protections{}, err
	}
	if said.Protections == nil {
		return Protections{}, errNoReply
	}
	return *said.Protections, nil
}

var errNoReply = errors.New("extract: the reader process replied to another task")

func (r *Runner) run(ctx context.Context, task Task, content io.Reader, most int) (reply, error) {
	limited, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	cmd, err := r.command(limited, task, content)
	if err != nil {
		return reply{}, err
	}
	out, stderr := bounded{limit: most}, bounded{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return reply{}, ctx.Err()
	case limited.Err() != nil:
		return reply{}, failed(TimedOut, "Reading it took longer than %s.", timeLimit)
	case out.full:
		return reply{}, failed(TooLarge, "It contains too much text.")
	case err != nil:
		return reply{}, failed(ParserDied, "Its reader ran out of memory or failed.")
	}
	var said reply
	if err := json.Unmarshal(out.kept, &said); err != nil {
		return reply{}, fmt.Errorf("reply of the reader process: %w: %s", err, stderr.kept)
	}
	if said.Error != nil {
		return reply{}, said.Error
	}
	return said, nil
}

// command returns the reader process, not started yet.
func (r *Runner) command(ctx context.Context, task Task, content io.Reader) (*exec.Cmd, error) {
	binary := r.Binary
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("own path: %w", err)
		}
		binary = self
	}
	line, err := json.Marshal(task)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	cmd := exec.CommandContext(ctx, binary, Command) //nolint:gosec // this very program
	cmd.WaitDelay = waitDelay
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(line, '\n')), content)
	// The environment has the operator's secrets: the reader gets none of it.
	cmd.Env = []string{"GOMEMLIMIT=" + goMemory, "GOMAXPROCS=2", "HOME=" + os.Getenv("HOME"), "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")}
	return cmd, nil
}

// bounded keeps what is written up to a limit, and refuses more. It is not a
// bytes.Buffer: os/exec would call its ReadFrom, which has no limit.
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
