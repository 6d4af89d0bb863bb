package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/spec"
)

// hostedBase is the base URL in the published documents, that of the hosted service.
const hostedBase = defaultOrigin + spec.BasePath

// base returns the base URL of this server as the client reaches it.
func (l linker) base(ctx context.Context) string {
	return cmp.Or(l.publicURL, middleware.CallFrom(ctx).Origin()) + spec.BasePath
}

// published is a document that names the server's base URL, so that clients made from it
// send their tokens to this server.
type published struct {
	with func(base string) ([]byte, error)
	last atomic.Pointer[based] // nearly all clients use one base URL
}

// based is a document for one base URL.
type based struct {
	file

	base string
}

// at returns the document for a base URL.
func (p *published) at(base string) (file, error) {
	if last := p.last.Load(); last != nil && last.base == base {
		return last.file, nil
	}
	content, err := p.with(base)
	if err != nil {
		return file{}, err
	}
	next := &based{newFile(content), base}
	p.last.Store(next)
	return next.file, nil
}

// publishedDocument returns the OpenAPI document with this server in servers. All other
// bytes are those of the published document.
func publishedDocument(raw []byte) *published {
	return &published{with: func(base string) ([]byte, error) {
		if base == hostedBase {
			return raw, nil
		}
		properties, err := spec.ParseObject(raw)
		if err != nil {
			return nil, err
		}
		for _, property := range properties {
			if property.Name != "servers" {
				continue
			}
			servers, err := json.Marshal([]struct {
				URL         string `json:"url"`
				Description string `json:"description"`
			}{{base, "This server"}})
			if err != nil {
				return nil, fmt.Errorf("servers: %w", err)
			}
			return bytes.Replace(raw, property.Value, servers, 1), nil
		}
		return raw, nil
	}}
}

// publishedCollection returns the Postman collection with this server in baseUrl.
func publishedCollection(raw []byte) *published {
	return &published{with: func(base string) ([]byte, error) {
		return bytes.ReplaceAll(raw, []byte(`"`+hostedBase+`"`), []byte(`"`+base+`"`)), nil
	}}
}
