package apitest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy is a proxy between a server and its database that can be cut.
type Proxy struct {
	// URL is the URL of the database through the proxy.
	URL      string
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
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
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
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
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		go pipe(near, far)
		go pipe(far, near)
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // ends when either side does
	_ = to.Close()
}
