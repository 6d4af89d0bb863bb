package widget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	// maxUploads is how many files of a workspace can wait to be sent.
	maxUploads     = 1000
	discardTimeout = 10 * time.Second
)

// Upload is a file of a visitor. Size is -1 if it is not known yet; Name may be nil. Address is
// the network of the visitor, which can upload a limited number of files.
type Upload struct {
	Name        *string
	ContentType string
	Size        int64
	Body        io.Reader
	Address     string
}

// Stored is an uploaded file.
type Stored struct {
	ID   uuid.UUID
	Size int64
}

// BodyError says that a file could not be read from the visitor: the connection broke, or
// it is larger than the limit.
type BodyError struct{ Err error }

// Error implements error.
func (e *BodyError) Error() string { return "read upload: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// counter counts what is read, and remembers why no more is.
type counter struct {
	from io.Reader
	read int64
	err  error
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err //nolint:wrapcheck // io.EOF must stay as it is
}

// Upload stores a file for a later message. It fails with *BodyError, *TooManyError or
// ErrTooManyUploads.
func (s *Service) Upload(ctx context.Context, v Visitor, in Upload) (Stored, error) {
	if err := s.limit(ctx, "files", in.Address, s.NewFiles); err != nil {
		return Stored{}, err
	}
	uploadID, now := s.IDs.New()
	key := "widget/" + v.WorkspaceID.String() + "/" + uploadID.String()
	body := &counter{from: in.Body}
	if err := s.Blobs.Put(ctx, key, body, in.Size); err != nil {
		if body.err != nil {
			return Stored{}, &BodyError{body.err}
		}
		return Stored{}, fmt.Errorf("store file: %w", err)
	}
	stored, err := db.New().WidgetUploadCreate(ctx, s.DB, db.WidgetUploadCreateParams{
		WorkspaceID: v.WorkspaceID, ID: uploadID, ChannelID: v.ChannelID, ExternalID: v.ExternalID, Name: in.Name, ContentType: in.ContentType,
		SizeBytes: body.read, BlobKey: key, CreatedAt: now, MaxRows: maxUploads,
	})
	switch {
	case err != nil:
		err = fmt.Errorf("record upload: %w", err)
	case stored == 0:
		err = ErrTooManyUploads
	default:
		return Stored{ID: uploadID, Size: body.read}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	return Stored{}, errors.Join(err, s.Blobs.Delete(ctx, key))
}

// takeUploads turns uploaded files into attachments of a message.
func (s *Service) takeUploads(ctx context.Context, tx postgres.Tx, v Visitor, ids []uuid.UUID, to *conversation.Inbound) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := db.New().WidgetUploadTake(ctx, tx, db.WidgetUploadTakeParams{
		WorkspaceID: v.WorkspaceID, ChannelID: v.ChannelID, ExternalID: v.ExternalID, IDs: ids,
	})
	if err != nil {
		return fmt.Errorf("find uploads: %w", err)
	}
	if len(rows) != len(ids) {
		return ErrAttachment
	}
	for _, row := range rows {
		file := provider.Attachment{Type: provider.TypeOf(row.ContentType), ContentType: row.ContentType, SizeBytes: row.SizeBytes}
		if row.Name != nil {
			file.Name = *row.Name
		}
		to.Attachments, to.BlobKeys = append(to.Attachments, file), append(to.BlobKeys, row.BlobKey)
	}
	return nil
}

// File is an opened file of a message. The caller closes it.
type File struct {
	io.ReadCloser

	Name *string
	Size int64
}

// Open opens a file of the visitor's conversations, or fails with postgres.ErrNotFound.
func (s *Service) Open(ctx context.Context, v Visitor, attachmentID uuid.UUID) (File, error) {
	row, err := db.New().WidgetAttachmentGet(ctx, s.DB, db.WidgetAttachmentGetParams{
		WorkspaceID: v.WorkspaceID, ID: attachmentID, ChannelID: v.ChannelID, ExternalID: v.ExternalID,
	})
	if err := postgres.Found("get attachment", err); err != nil {
		return File{}, err
	}
	opened, err := s.Blobs.Open(ctx, *row.BlobKey)
	if errors.Is(err, blob.ErrNotFound) {
		return File{}, postgres.ErrNotFound // erased meanwhile
	} else if err != nil {
		return File{}, fmt.Errorf("open attachment: %w", err)
	}
	return File{ReadCloser: opened, Name: row.Name, Size: *row.SizeBytes}, nil
}
