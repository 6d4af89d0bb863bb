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
	disposition, cache := "attachment", "private, no-store"
	if row.Name != nil {
		disposition = mime.FormatMediaType("attachment", map[string]string{"filename": *row.Name})
	}
	return api.GetAttachment200ApplicationOctetStreamResponse{
		Body: file, ContentLength: *row.SizeBytes, // the strict server closes the file
		Headers: api.GetAttachment200ResponseHeaders{ContentDisposition: &disposition, CacheControl: &cache},
	}, nil
}
