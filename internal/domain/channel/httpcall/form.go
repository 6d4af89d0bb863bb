package httpcall

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/textproto"
	"slices"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// File is a file of a form.
type File struct {
	provider.OutboundAttachment

	Field string
}

// Form encodes fields and files for an upload. It fails with *provider.SendError.
func Form(ctx context.Context, fields map[string]string, files ...File) (body []byte, contentType string, err error) {
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	if err := write(ctx, w, fields, files); err != nil {
		return nil, "", &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: err}
	}
	return buffer.Bytes(), w.FormDataContentType(), nil
}

func write(ctx context.Context, w *multipart.Writer, fields map[string]string, files []File) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(name, fields[name]); err != nil {
			return fmt.Errorf("field: %w", err)
		}
	}
	for _, one := range files {
		if err := attach(ctx, w, one); err != nil {
			return err
		}
	}
	return w.Close() //nolint:wrapcheck // it writes into memory
}

func attach(ctx context.Context, w *multipart.Writer, one File) error {
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(one.Field, one.Name)}, "Content-Type": {one.ContentType},
	})
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	from, err := one.Open(ctx)
	if err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	defer func() { _ = from.Close() }()
	if _, err := io.Copy(part, from); err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	return nil
}
