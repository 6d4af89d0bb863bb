package knowledge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
)

// sniffed is how much of a file is looked at to tell what it is, in bytes.
const sniffed = 3072

// AcceptedType is a kind of file that can be uploaded.
type AcceptedType struct {
	Kind                   extract.Kind
	Extension, Description string
}

// AcceptedTypes are those that can be read.
var AcceptedTypes = []AcceptedType{
	{extract.PDF, ".pdf", "PDF document"},
	{extract.DOCX, ".docx", "Word document"},
	{extract.HTML, ".html", "Web page"},
	{extract.Text, ".txt", "Plain text"},
	{extract.Markdown, ".md", "Markdown"},
}

// Upload is a file to take in. Size is -1 where it is not known yet.
type Upload struct {
	Kind extract.Kind
	Name string
	Size int64
	Body io.Reader
}

// BodyError says that a file could not be read from the caller: its connection broke,
// or it has more bytes than are taken.
type BodyError struct{ Err error }

// Error says what broke.
func (e *BodyError) Error() string { return "read upload: " + e.Err.Error() }

// Unwrap returns what broke.
func (e *BodyError) Unwrap() error { return e.Err }

// Upload stores a file, as it comes, and accepts it. The same bytes as before answer
// with the job that took them in. It fails with *WrongTypeError,
// ErrEmptyFile and *BodyError.
func (s *Service) Upload(ctx context.Context, workspaceID uuid.UUID, in Upload) (job Job, err error) {
	body := bufio.NewReaderSize(in.Body, sniffed)
	head, err := body.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return job, &BodyError{err}
	}
	if len(head) == 0 {
		return job, ErrEmptyFile
	}
	if !is(in.Kind, head) {
		return job, &WrongTypeError{Kind: in.Kind}
	}
	sourceID, _ := s.IDs.New()
	counted := &counter{Reader: body, hash: sha256.New()}
	place := key(workspaceID, sourceID)
	if err := s.Blobs.Put(ctx, place, counted, in.Size); err != nil {
		if counted.err != nil {
			return job, &BodyError{counted.err}
		}
		return job, err
	}
	used := false
	defer func() {
		if !used {
			err = errors.Join(err, s.Blobs.Delete(context.WithoutCancel(ctx), place))
		}
	}()
	job, used, err = s.accept(ctx, workspaceID, sourceID, in, counted)
	if postgres.Violates(err, db.KnowledgeSourcesSha256Key) { // the same bytes at the same time
		job, used, err = s.accept(ctx, workspaceID, sourceID, in, counted)
	}
	return job, err
}

// accept makes source and job of a file that is stored, or finds those of the same
// bytes. It reports whether the file is used.
func (s *Service) accept(ctx context.Context, workspaceID, sourceID uuid.UUID, in Upload, stored *counter) (job Job, used bool, err error) {
	err = postgres.WithTx(ctx, s.DB, func(ctx context.Context, tx pgx.Tx) error {
		sum := stored.hash.Sum(nil)
		known, err := db.New().KnowledgeSourceBySHA256(ctx, tx, db.KnowledgeSourceBySHA256Params{WorkspaceID: workspaceID, Sha256: sum})
		if err == nil {
			job, err = s.latest(ctx, tx, known)
			if err == nil && (job.Status == "" || job.Status == api.KnowledgeJobStatusFAILED) {
				job, err = s.begin(ctx, tx, known, true)
			}
			return err
		} else if !postgres.IsNotFound(err) {
			return fmt.Errorf("look for the same bytes: %w", err)
		}
		kind := string(in.Kind)
		source, err := db.New().KnowledgeSourceCreate(ctx, tx, db.KnowledgeSourceCreateParams{
			WorkspaceID: workspaceID, ID: sourceID, Kind: api.KnowledgeTypeUPLOAD, FileName: &in.Name, ContentType: &kind,
			SizeBytes: &stored.size, Sha256: sum, CreatedAt: s.Clock.Now(),
		})
		if err != nil {
			return fmt.Errorf("create source: %w", err)
		}
		used = true
		job, err = s.begin(ctx, tx, source, false)
		return err
	})
	return job, used && err == nil, err
}

// counter counts and hashes what is read through it, and keeps the error of reading.
type counter struct {
	io.Reader

	hash hash.Hash
	size int64
	err  error
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.size += int64(n)
	c.hash.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// is reports whether the beginning of a file is of a kind.
func is(kind extract.Kind, head []byte) bool {
	found := mimetype.Detect(head)
	switch kind {
	case extract.PDF:
		// Some writers put bytes before the header; readers take that.
		return found.Is(string(extract.PDF)) || bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-"))
	case extract.DOCX:
		// A protected document is no ZIP: reading it says so.
		return found.Is(string(extract.DOCX)) || found.Is("application/x-ole-storage") || found.Is("application/zip") && bytes.Contains(head, []byte("[Content_Types].xml"))
	case extract.HTML, extract.Text, extract.Markdown:
		return isText(found, head)
	}
	return false
}

// isText reports whether bytes are text in some encoding: text of one kind is taken
// for another, for what Markdown and HTML begin with is up to their authors.
func isText(found *mimetype.MIME, head []byte) bool {
	for one := found; one != nil; one = one.Parent() {
		if one.Is("text/plain") {
			return true
		}
	}
	return strings.HasPrefix(found.String(), "text/") || utf8.Valid(head) && bytes.IndexByte(head, 0) < 0 && found.Is("application/octet-stream")
}
