// Package rawhttp stands between the network and net/http, for what that package
// decides before it calls a handler: requests whose end is ambiguous, which it accepts,
// and malformed requests, to which it responds in plain text.
package rawhttp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// Respond returns the whole response, head and body, to a request that no handler sees.
// The connection is closed after it. status and reason are those of net/http, unless
// cause says more.
type Respond func(remote net.Addr, status, reason string, cause error) []byte

// Listen wraps the connections of a listener.
func Listen(on net.Listener, respond Respond) net.Listener { return &listener{on, respond} }

type listener struct {
	net.Listener

	respond Respond
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at the error
	}
	return &conn{Conn: accepted, respond: l.respond}, nil
}

// conn is a connection whose requests are checked as they are read.
type conn struct {
	net.Conn

	respond Respond
	framing framing
	refused error // why nothing more is read
}

// Read implements net.Conn. net/http has one reader at a time.
func (c *conn) Read(p []byte) (int, error) {
	if c.refused != nil {
		return 0, c.refused
	}
	n, err := c.Conn.Read(p)
	passed, refused := c.framing.scan(p[:n])
	if refused != nil {
		c.refused, err = refused, nil
		if passed == 0 {
			err = refused // net/http responds with status 400
		}
	}
	return passed, err //nolint:wrapcheck // net/http looks at the error
}

// Write implements net.Conn. It replaces the responses that net/http writes itself.
func (c *conn) Write(p []byte) (int, error) {
	status, reason, ok := plainError(p)
	if !ok {
		return c.Conn.Write(p) //nolint:wrapcheck // net/http looks at the error
	}
	if _, err := c.Conn.Write(c.respond(c.RemoteAddr(), status, reason, c.refused)); err != nil {
		return 0, err //nolint:wrapcheck // likewise
	}
	c.linger()
	return len(p), nil
}

// CloseWrite lets net/http end the response before the connection.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite() //nolint:wrapcheck // as net.TCPConn
}

const (
	lingerTimeout = 500 * time.Millisecond
	lingerBytes   = 256 << 10
)

// linger ends the response, and reads what the client is still sending: if the
// connection were closed first, the client would get a reset instead of the response.
func (c *conn) linger() {
	if c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTimeout)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// plainHeader follows the status line of the errors that net/http writes itself, and of no
// other response: the server sets further headers.
const plainHeader = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// plainError recognizes an error of net/http. reason is empty if it gives none.
func plainError(p []byte) (status, reason string, ok bool) {
	const version = "HTTP/1.1 "
	if len(p) < len(version)+1 || p[len(version)] < '4' || !bytes.HasPrefix(p, []byte(version)) {
		return "", "", false
	}
	line, _, ok := strings.Cut(string(p[len(version):min(len(p), maxPlain)]), plainHeader)
	if !ok {
		return "", "", false
	}
	status, text, _ := strings.Cut(line, " ")
	_, reason, _ = strings.Cut(text, ": ")
	return status, reason, true
}

// maxPlain bounds how much of a response is compared. net/http's errors are shorter.
const maxPlain = 512
