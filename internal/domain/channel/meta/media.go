package meta

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// mediaHosts are where Meta serves files.
var mediaHosts = []string{".fbsbx.com", ".fbcdn.net", ".facebook.com", ".whatsapp.net"}

// Download opens a file at a URL that Meta gave out. The header may have a token, so only
// Meta's servers are asked.
func (g Graph) Download(ctx context.Context, c provider.Channel, from string, header http.Header) (provider.File, error) {
	if !served(c, from) {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "The file is not at a server of Meta."}
	}
	response, err := g.Client.Open(ctx, apiclient.Request{Method: http.MethodGet, URL: from, Header: header})
	if err != nil {
		return provider.File{}, &provider.SendError{
			Kind: provider.Retryable, Detail: "Meta did not respond.", Cause: fmt.Errorf("meta: %s", provider.Redact(c, err.Error())),
		}
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		kind := provider.Retryable
		if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone {
			kind = provider.Permanent
		}
		return provider.File{}, &provider.SendError{Kind: kind, Detail: fmt.Sprintf("Meta responded %d to the download.", response.StatusCode)}
	}
	return provider.File{
		ReadCloser: response.Body, Name: path.Base(response.Request.URL.Path), ContentType: response.Header.Get("Content-Type"), SizeBytes: response.ContentLength,
	}, nil
}

func served(c provider.Channel, from string) bool {
	target, err := url.Parse(from)
	if err != nil {
		return false
	}
	if base, err := url.Parse(Base(c)); err == nil && target.Host == base.Host && target.Scheme == base.Scheme {
		return true
	}
	for _, suffix := range mediaHosts {
		if target.Scheme == "https" && strings.HasSuffix(target.Hostname(), suffix) {
			return true
		}
	}
	return false
}

// Form encodes fields and a file for an upload.
func Form(ctx context.Context, fields map[string]string, name string, file provider.OutboundAttachment) (body []byte, contentType string, err error) {
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if err := w.WriteField(field, fields[field]); err != nil {
			return nil, "", fmt.Errorf("field: %w", err)
		}
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(name, file.Name)}, "Content-Type": {file.ContentType},
	})
	if err != nil {
		return nil, "", fmt.Errorf("file: %w", err)
	}
	from, err := file.Open(ctx)
	if err != nil {
		return nil, "", &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: err}
	}
	defer func() { _ = from.Close() }()
	if _, err := io.Copy(part, from); err != nil {
		return nil, "", &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: err}
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("file: %w", err)
	}
	return buffer.Bytes(), w.FormDataContentType(), nil
}
