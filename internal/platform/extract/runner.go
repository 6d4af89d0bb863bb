package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/avelto/convo/internal/platform/weburl"
)

const (
	// Command is the subcommand of the binary that runs Main.
	Command = "extract"
	// The largest replies. Stems are about as long as their text, and JSON escapes
	// characters.
	maxReply        = 4 * maxText
	maxPageReply    = 4*maxPageText + 2*maxLinks*weburl.Max
	maxSitemapReply = 2 * maxSitemapURLs * weburl.Max
	maxRobotsReply  = 4*MaxRobots + 64*maxRules
	maxMessageReply = 2*MaxMessage + 4*maxMessageText
	timeLimit       = 2 * time.Minute
	// emailTimeLimit is short: while an email is read, others of its mailbox wait.
	emailTimeLimit = 20 * time.Second
	cpuLimit       = time.Minute
	memoryLimit    = 768 << 20 // bytes
	goMemory       = "512MiB"
	waitDelay      = 5 * time.Second
)

// Runner opens files and pages in reader processes.
type Runner struct {
	// Binary has the subcommand; empty means this program.
	Binary string
}

// Read reads the text of a file. It returns an *Error if the file is to blame, and also
// if its reader died or took too long.
func (r *Runner) Read(ctx context.Context, kind Kind, file io.Reader) (Index, error) {
	said, err := r.run(ctx, Task{Action: readDocument, Kind: kind}, file, maxReply)
	return found(said.Index, err)
}

// ReadPage reads text and links of a web page. It returns an *Error like Read; a page
// without text is none.
func (r *Runner) ReadPage(ctx context.Context, task Task, content io.Reader) (Page, error) {
	task.Action = readWebPage
	said, err := r.run(ctx, task, content, maxPageReply)
	return found(said.Page, err)
}

// ReadSitemap reads a sitemap. It returns an *Error like Read.
func (r *Runner) ReadSitemap(ctx context.Context, task Task, content io.Reader) (Sitemap, error) {
	task.Action = readSitemap
	said, err := r.run(ctx, task, content, maxSitemapReply)
	return found(said.Sitemap, err)
}

// ReadRobots reads a robots.txt. It returns an *Error like Read; the message of one with
// the code TooLarge says what the file has too many of.
func (r *Runner) ReadRobots(ctx context.Context, task Task, content io.Reader) (Robots, error) {
	task.Action = readRobots
	said, err := r.run(ctx, task, content, maxRobotsReply)
	return found(said.Robots, err)
}

// ReadMessage reads an email of at most MaxMessage bytes. It returns an *Error like Read.
func (r *Runner) ReadMessage(ctx context.Context, content io.Reader) (Message, error) {
	said, err := r.run(ctx, Task{Action: readEmail}, content, maxMessageReply)
	return found(said.Message, err)
}

// Protections starts a reader process that reports what it cannot do.
func (r *Runner) Protections(ctx context.Context) (Protections, error) {
	said, err := r.run(ctx, Task{Action: tryLimits}, bytes.NewReader(nil), maxPageReply)
	return found(said.Protections, err)
}

var errNoReply = errors.New("extract: the reader process replied to another task")

// found returns the part of a reply that was asked for.
func found[T any](part *T, err error) (T, error) {
	switch {
	case err != nil:
		return *new(T), err
	case part == nil:
		return *new(T), errNoReply
	}
	return *part, nil
}

func (r *Runner) run(ctx context.Context, task Task, content io.Reader, most int) (reply, error) {
	limit := task.timeLimit()
	limited, cancel := context.WithTimeout(ctx, limit)
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
		return reply{}, failed(TimedOut, "Reading it took longer than %s.", limit)
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
	if cap(b.kept)-len(b.kept) < len(p) {
		b.kept = slices.Grow(b.kept, max(len(b.kept), len(p))) // append copies more often
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}
