package hooks

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/channel"
)

const (
	// maxBodies bounds the memory of the bodies that are read and parsed, in bytes.
	maxBodies = 128 << 20
	// defaultBody is the longest body where the channel's type has no other limit.
	defaultBody = 1 << 20
)

var (
	// errBody means that a body could not be read to its end.
	errBody = errors.New("hooks: the body ended early")
	// errNoRoom means that bodies use too much memory at the moment.
	errNoRoom = errors.New("hooks: too many bodies are being read")
)

// bodies divides the memory of bodies between channels. None may use more than what is free,
// so that a flood to one channel leaves room for the others.
type bodies struct {
	mu   sync.Mutex
	free int64
	used map[uuid.UUID]int64 // by channel
}

func newBodies(size int64) *bodies { return &bodies{free: size, used: map[uuid.UUID]int64{}} }

// read reads the body of a request to a channel. The caller calls release once it is no
// longer used. It fails with errNoRoom, errBody or *http.MaxBytesError.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, to channel.Opened) (body []byte, release func(), err error) {
	most := to.Provider.Rules().MaxHookBody
	if most == 0 {
		most = defaultBody
	}
	if r.ContentLength > most {
		return nil, nil, &http.MaxBytesError{Limit: most}
	}
	size := r.ContentLength
	if size < 0 { // unknown
		size = most
	}
	if !b.take(to.Row.ID, size) {
		return nil, nil, errNoRoom
	}
	release = func() { b.give(to.Row.ID, size) }
	// Fails where the server has no connection, as in tests of the handler.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		return body, release, nil
	}
	release()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, err
	}
	return nil, nil, fmt.Errorf("%w: %w", errBody, err)
}

func (b *bodies) take(channelID uuid.UUID, size int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used[channelID]+size > b.free-size {
		return false
	}
	b.free -= size
	b.used[channelID] += size
	return true
}

func (b *bodies) give(channelID uuid.UUID, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += size
	if b.used[channelID] -= size; b.used[channelID] == 0 {
		delete(b.used, channelID)
	}
}
