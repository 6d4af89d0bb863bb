package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/web"
)

// documentMaxAge is how long caches may keep the document.
const documentMaxAge = "public, max-age=300"

// meta serves the tag Meta.
type meta struct {
	document, postman *published
	links             linker
}

func newMeta(document, postman []byte, links linker) *meta {
	return &meta{publishedDocument(document), publishedCollection(postman), links}
}

// GetOpenAPIDocument implements api.StrictServerInterface.
func (s *meta) GetOpenAPIDocument(ctx context.Context, r api.GetOpenAPIDocumentRequestObject) (api.GetOpenAPIDocumentResponseObject, error) {
	content, err := s.document.at(s.links.base(ctx))
	if err != nil {
		return nil, err
	}
	if content.matches(r.Params.IfNoneMatch) {
		return api.GetOpenAPIDocument304Response{Headers: api.GetOpenAPIDocument304ResponseHeaders{ETag: &content.etag}}, nil
	}
	return content, nil
}

// GetPostmanCollection implements api.StrictServerInterface.
func (s *meta) GetPostmanCollection(ctx context.Context, r api.GetPostmanCollectionRequestObject) (api.GetPostmanCollectionResponseObject, error) {
	content, err := s.postman.at(s.links.base(ctx))
	if err != nil {
		return nil, err
	}
	if content.matches(r.Params.IfNoneMatch) {
		return api.GetPostmanCollection304Response{Headers: api.GetPostmanCollection304ResponseHeaders{ETag: &content.etag}}, nil
	}
	return content, nil
}

// file is a document that is returned byte for byte. The generated response would encode
// it again.
type file struct {
	content []byte
	etag    string
}

func newFile(content []byte) file {
	sum := sha256.Sum256(content)
	// Weak, because compressed responses have different bytes.
	return file{content: content, etag: `W/"` + hex.EncodeToString(sum[:16]) + `"`}
}

// VisitGetOpenAPIDocumentResponse implements api.GetOpenAPIDocumentResponseObject.
func (f file) VisitGetOpenAPIDocumentResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetPostmanCollectionResponse implements api.GetPostmanCollectionResponseObject.
func (f file) VisitGetPostmanCollectionResponse(w http.ResponseWriter) error { return f.write(w) }

func (f file) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", documentMaxAge)
	w.Header().Set("ETag", f.etag)
	_, err := w.Write(f.content)
	return err
}

// matches reports whether an If-None-Match header contains the ETag.
func (f file) matches(ifNoneMatch *string) bool {
	return ifNoneMatch != nil && web.MatchesETag(*ifNoneMatch, f.etag)
}
