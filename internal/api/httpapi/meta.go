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
type meta struct{ document, postman file }

func newMeta(document, postman []byte) *meta { return &meta{newFile(document), newFile(postman)} }

// GetOpenAPIDocument implements api.StrictServerInterface.
func (s *meta) GetOpenAPIDocument(_ context.Context, r api.GetOpenAPIDocumentRequestObject) (api.GetOpenAPIDocumentResponseObject, error) {
	if s.document.matches(r.Params.IfNoneMatch) {
		return api.GetOpenAPIDocument304Response{Headers: api.GetOpenAPIDocument304ResponseHeaders{ETag: &s.document.etag}}, nil
	}
	return s.document, nil
}

// GetPostmanCollection implements api.StrictServerInterface.
func (s *meta) GetPostmanCollection(_ context.Context, r api.GetPostmanCollectionRequestObject) (api.GetPostmanCollectionResponseObject, error) {
	if s.postman.matches(r.Params.IfNoneMatch) {
		return api.GetPostmanCollection304Response{Headers: api.GetPostmanCollection304ResponseHeaders{ETag: &s.postman.etag}}, nil
	}
	return s.postman, nil
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
