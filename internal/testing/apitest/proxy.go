package apitest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy is a proxy between a server and its database that can be cut and frozen.
type Proxy struct {
	// URL is the URL of the database through the proxy.
	URL      string
	listener net.Listener
	mu       sync.Mutex
	links    []*link
	frozen   bool
}

// link is a connection through the proxy.
type link struct {
	near, far net.Conn
	frozen    atomic.Bool
}

// NewProxy starts a proxy for a database.
func NewProxy(t testing.TB, databaseURL string) *Proxy {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	target := u.Host
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	u.Host = listener.Addr().String()
	p := &Proxy{URL: u.String(), listener: listener}
	go p.accept(target)
	t.Cleanup(p.Cut)
	return p
}

// Cut closes all connections and accepts no more.
func (p *Proxy) Cut() {
	_ = p.listener.Close() // already closed if Cut was called before
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		_ = l.near.Close()
		_ = l.far.Close()
	}
	p.links = nil
}

// FreezeOpen discards all bytes on the connections that are open, but not on new ones, like
// a firewall that has lost its state. It returns how many were open.
func (p *Proxy) FreezeOpen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		l.frozen.Store(true)
	}
	return len(p.links)
}

// Freeze discards all bytes on all connections, including new ones.
func (p *Proxy) Freeze() {
	p.FreezeOpen()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

func (p *Proxy) accept(target string) {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", target)
		if err != nil {
			_ = near.Close()
			continue
		}
		l := &link{near: near, far: far}
		p.mu.Lock()
		l.frozen.Store(p.frozen)
		p.links = append(p.links, l)
		p.mu.Unlock()
		go l.pipe(near, far)
		go l.pipe(far, near)
	}
}

// pipe copies until either side ends. A frozen link hides that from the other side.
func (l *link) pipe(to, from net.Conn) {
	_, _ = io.Copy(swallower{l, to}, from)
	if !l.frozen.Load() {
		_ = to.Close()
	}
}

// swallower writes to a connection until its link is frozen.
type swallower struct {
	link *link
	to   net.Conn
}

// Write implements io.Writer.
func (s swallower) Write(b []byte) (int, error) {
	if s.link.frozen.Load() {
		return len(b), nil
	}
	return s.to.Write(b)
}
