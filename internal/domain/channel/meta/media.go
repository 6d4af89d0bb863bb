package meta

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

// mediaHosts are where Meta serves files.
var mediaHosts = []string{".fbsbx.com", ".fbcdn.net", ".facebook.com", ".whatsapp.net"}

// Download opens a file at a URL that Meta gave out. The header may have a token, so only
// Meta's servers are asked.
func (g Graph) Download(ctx context.Context, c provider.Channel, from string, header http.Header) (provider.File, error) {
	target, err := url.Parse(from)
	if err != nil || !served(c, target) {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "The file is not at a server of Meta."}
	}
	file, failed := service.Download(ctx, g.Client, c, from, header)
	if failed != nil {
		return provider.File{}, failed
	}
	file.Name = path.Base(target.Path)
	return file, nil
}

func served(c provider.Channel, target *url.URL) bool {
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
