package extract

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const maxFile = 10 << 20

// Main is the reader process. The first line of in is the Task, as JSON; the bytes to read
// follow. It writes its reply to out. Before it reads the first byte of the content, the
// process gives up the file system, the network and starting programs.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	if err := limitResources(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own path: %w", err)
	}
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	var task Task
	if err := json.Unmarshal(line, &task); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	var pdf pdfReader
	if task.Kind == PDF { // compiling PDFium uses a cache in a file
		started, stop, err := startPDF(ctx)
		if err != nil {
			return err
		}
		defer stop()
		pdf = started
	}
	active := giveUp()
	content, err := io.ReadAll(io.LimitReader(input, task.limit()+1))
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	said, err := task.perform(pdf, content)
	if err != nil {
		return err
	}
	if said.Protections != nil {
		active = tried(active, program)
		said.Protections = &active
	}
	if err := json.MarshalWrite(out, said, jsontext.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}
