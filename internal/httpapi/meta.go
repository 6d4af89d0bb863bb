package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/avelto/convo/gen/api"
)

// documentMaxAge lets caches keep the document for some minutes.
const documentMaxAge = "public, max-age=300"

// meta serves the tag Meta.
type meta struct {
	document []byte
	etag     string
}

func newMeta(document []byte) *meta {
	sum := sha256.Sum256(document)
	// Weak: a compressed answer is the same document in other bytes.
	return &meta{document: document, etag: `W/"` + hex.EncodeToString(sum[:16]) + `"`}
}

// GetOpenAPIDocument implements api.StrictServerInterface.
func (s *meta) GetOpenAPIDocument(_ context.Context, r api.GetOpenAPIDocumentRequestObject) (api.GetOpenAPIDocumentResponseObject, error) {
	if r.Params.IfNoneMatch != nil && matches(*r.Params.IfNoneMatch, s.etag) {
		return api.GetOpenAPIDocument304Response{Headers: api.GetOpenAPIDocument304ResponseHeaders{ETag: &s.etag}}, nil
	}
	return rawDocument{s}, nil
}

// rawDocument is the document byte for byte, where the generated answer would
// write it anew.
type rawDocument struct{ *meta }

// VisitGetOpenAPIDocumentResponse implements api.GetOpenAPIDocumentResponseObject.
func (d rawDocument) VisitGetOpenAPIDocumentResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", documentMaxAge)
	w.Header().Set("ETag", d.etag)
	_, err := w.Write(d.document)
	return err
}

// matches compares weakly, as If-None-Match does (RFC 9110, section 13.1.2).
func matches(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
