package docs

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/avelto/convo/internal/api/web"
)

// maxAddressed bounds the cached pages: the Host header is the client's choice.
const maxAddressed = 512

// addressed caches pages for the origins at which clients reach the server, if there is
// no public URL.
type addressed struct {
	mu    sync.Mutex
	pages map[string]page // by origin and ETag
}

// page returns a page with the request's origin in its samples.
func (a *addressed) page(r *http.Request, p page) page {
	origin := web.Origin(r)
	key := origin + " " + p.etag
	a.mu.Lock()
	known, ok := a.pages[key]
	a.mu.Unlock()
	if ok {
		return known
	}
	plain, err := unpack(p.packed)
	if err != nil {
		panic(err) // unreachable: the page was packed here
	}
	made := newPage(bytes.ReplaceAll(plain, []byte(unknownOrigin), []byte(origin)), p.mediaType)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pages == nil || len(a.pages) >= maxAddressed {
		a.pages = map[string]page{}
	}
	a.pages[key] = made
	return made
}
