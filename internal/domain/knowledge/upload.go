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

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/postgres"
)

// sniffed is how many bytes of a file are read to detect its type.
const sniffed = 3072

// AcceptedType is a kind of file that can be uploaded.
type AcceptedType struct {
	Kind                   extract.Kind
	Extension, Description string
}

// AcceptedTypes are the types of files that can be uploaded.
var AcceptedTypes = []AcceptedType{
	{extract.PDF, ".pdf", "PDF document"},
	{extract.DOCX, ".docx", "Word document"},
	{extract.HTML, ".html", "Web page"},
	{extract.Text, ".txt", "Plain text"},
	{extract.Markdown, ".md", "Markdown"},
}

// Upload is a file to ingest. Size is -1 if it is not known yet.
type Upload struct {
	Kind extract.Kind
	Name string
	Size int64
	Body io.Reader
}

// BodyError says that a file could not be read from the caller: its connection broke,
// or it is larger than the limit.
type BodyError struct{ Err error }

// Error implements error.
func (e *BodyError) Error() string { return "read upload: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// Staged is a file that is stored and belongs to no source yet.
type Staged struct {
	Upload

	workspaceID, sourceID uuid.UUID
	size                  int64
	sha256                []byte
}

// Used reports whether a job has the file.
func (s *Staged) Used(job Job) bool { return job.SourceID != nil && *job.SourceID == s.sourceID }

// Stage stores a file as it arrives, without a database connection. It is followed by
// Accept or Discard. It fails with ErrEmptyFile and *WrongTypeError, and with *BodyError.
func (s *Service) Stage(ctx context.Context, workspaceID uuid.UUID, in Upload) (*Staged, error) {
	body := bufio.NewReaderSize(in.Body, sniffed)
	head, err := body.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &BodyError{err}
	}
	if len(head) == 0 {
		return nil, ErrEmptyFile
	}
	if !is(in.Kind, head) {
		return nil, &WrongTypeError{Kind: in.Kind}
	}
	sourceID, _ := s.IDs.New()
	counted := &counter{Reader: body, hash: sha256.New()}
	if err := s.Blobs.Put(ctx, key(workspaceID, sourceID), counted, in.Size); err != nil {
		if counted.err != nil {
			return nil, &BodyError{counted.err}
		}
		return nil, err
	}
	return &Staged{Upload: in, workspaceID: workspaceID, sourceID: sourceID, size: counted.size, sha256: counted.hash.Sum(nil)}, nil
}

// acceptTries bounds the attempts to find or create the source of a file while others
// delete it.
const acceptTries = 5

// Accept creates the source of a staged file, and the job that ingests it. If a source
// has the same bytes, it takes the file's name and is ingested again, and the staged file
// must be discarded. It fails with *TooManyJobsError.
func (s *Service) Accept(ctx context.Context, on postgres.Conn, staged *Staged) (job Job, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		for range acceptTries {
			job, err = s.acceptOnce(ctx, tx, staged)
			if !errors.Is(err, errSourceGone) {
				break
			}
		}
		return err
	})
	return job, err
}

// errSourceGone means that a source was deleted while an upload of its bytes looked for it.
var errSourceGone = errors.New("knowledge: the source with the same bytes was deleted meanwhile")

func (s *Service) acceptOnce(ctx context.Context, tx postgres.Tx, staged *Staged) (Job, error) {
	kind := string(staged.Kind)
	source, err := db.New().KnowledgeSourceCreate(ctx, tx, db.KnowledgeSourceCreateParams{
		WorkspaceID: staged.workspaceID, ID: staged.sourceID, Kind: api.KnowledgeTypeUPLOAD, FileName: &staged.Name, ContentType: &kind,
		SizeBytes: &staged.size, Sha256: staged.sha256, CreatedAt: s.Clock.Now(),
	})
	if postgres.IsNotFound(err) {
		return s.known(ctx, tx, staged)
	} else if err != nil {
		return Job{}, fmt.Errorf("create source: %w", err)
	}
	return s.begin(ctx, tx, source, false)
}

// known begins a job for the source with the bytes of a staged file, which takes the
// file's name and type. The lock keeps the source until the transaction ends. It fails
// with errSourceGone.
func (s *Service) known(ctx context.Context, tx postgres.Tx, staged *Staged) (Job, error) {
	source, err := db.New().KnowledgeSourceLockBySHA256(ctx, tx, db.KnowledgeSourceLockBySHA256Params{WorkspaceID: staged.workspaceID, Sha256: staged.sha256})
	if postgres.IsNotFound(err) {
		return Job{}, errSourceGone
	} else if err != nil {
		return Job{}, fmt.Errorf("find the same bytes: %w", err)
	}
	source, err = db.New().KnowledgeSourceRename(ctx, tx, db.KnowledgeSourceRenameParams{
		WorkspaceID: source.WorkspaceID, ID: source.ID, FileName: staged.Name, ContentType: string(staged.Kind), UpdatedAt: s.Clock.Now(),
	})
	if err != nil {
		return Job{}, fmt.Errorf("rename source: %w", err)
	}
	return s.begin(ctx, tx, source, true)
}

// Discard deletes a staged file unless a source has it: after a commit whose outcome is
// not known, one may. It works after the request was canceled too. A failure is logged,
// since nothing refers to the file.
func (s *Service) Discard(ctx context.Context, staged *Staged) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	_, err := db.New().KnowledgeSourceGet(ctx, s.DB, db.KnowledgeSourceGetParams{WorkspaceID: staged.workspaceID, ID: staged.sourceID})
	if err == nil {
		return
	}
	if postgres.IsNotFound(err) {
		err = s.Blobs.Delete(ctx, key(staged.workspaceID, staged.sourceID))
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "orphaned file not deleted", "workspaceId", staged.workspaceID, "sourceId", staged.sourceID, "error", err)
	}
}

// counter is a reader that counts and hashes bytes, and keeps the read error.
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

// is reports whether the start of a file matches a type.
func is(kind extract.Kind, head []byte) bool {
	found := mimetype.Detect(head)
	switch kind {
	case extract.PDF:
		// Some programs write bytes before the header, which readers accept.
		return found.Is(string(extract.PDF)) || bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-"))
	case extract.DOCX:
		// An encrypted document is not a ZIP archive; reading it reports that.
		return found.Is(string(extract.DOCX)) || found.Is("application/x-ole-storage") || found.Is("application/zip") && bytes.Contains(head, []byte("[Content_Types].xml"))
	case extract.HTML, extract.Text, extract.Markdown:
		return isText(found, head)
	}
	return false
}

// isText reports whether bytes are text in some encoding. The types of text cannot be told
// apart by their first bytes.
func isText(found *mimetype.MIME, head []byte) bool {
	for one := found; one != nil; one = one.Parent() {
		if one.Is("text/plain") {
			return true
		}
	}
	return strings.HasPrefix(found.String(), "text/") || utf8.Valid(head) && bytes.IndexByte(head, 0) < 0 && found.Is("application/octet-stream")
}
