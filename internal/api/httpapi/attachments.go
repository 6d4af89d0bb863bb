package httpapi

import (
	"context"
	"errors"
	"fmt"
	"mime"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/platform/postgres"
)

// GetAttachment implements api.StrictServerInterface. The file is untrusted: a
// browser must save it and not show it.
func (s *conversations) GetAttachment(ctx context.Context, r api.GetAttachmentRequestObject) (api.GetAttachmentResponseObject, error) {
	row, err := s.service.Attachment(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	file, err := s.blobs.Open(ctx, *row.BlobKey)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, postgres.ErrNotFound // erased meanwhile
	} else if err != nil {
		return nil, fmt.Errorf("open attachment: %w", err)
	}
	disposition, cache := disposition(row.Name), "private, no-store"
	return api.GetAttachment200ApplicationOctetStreamResponse{
		Body: file, ContentLength: *row.SizeBytes, // the strict server closes the file
		Headers: api.GetAttachment200ResponseHeaders{ContentDisposition: &disposition, CacheControl: &cache},
	}, nil
}

// disposition returns a Content-Disposition with the name of a file, if it is known.
func disposition(name *string) string {
	if name == nil {
		return "attachment"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": *name})
}
