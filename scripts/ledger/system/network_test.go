//go:build linux

package system

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo returns the address of a server that sends back what it receives.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, l *Link) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// send sends a byte and returns the error of waiting for its echo.
func send(t *testing.T, conn net.Conn, patience time.Duration) error {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

const (
	long  = 10 * time.Second
	short = 100 * time.Millisecond
)

func TestFrozenConnectionsSwallowBytesAndNewOnesDoNot(t *testing.T) {
	t.Parallel()
	l, err := newLink("test", echo(t))
	require.NoError(t, err)
	t.Cleanup(l.Cut)
	before := dial(t, l)
	require.NoError(t, send(t, before, long))
	for range 2 { // thawing makes room for the next time
		require.NoError(t, l.Freeze())
		require.ErrorIs(t, send(t, before, short), os.ErrDeadlineExceeded)
		after := dial(t, l)
		require.NoError(t, send(t, after, long))
		l.Thaw()
		err := send(t, before, long)
		require.Error(t, err, "a frozen connection is closed in the end")
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, send(t, after, long), "another stays")
		before = after
	}
}

func TestACutLinkRefusesConnectionsUntilItIsRestored(t *testing.T) {
	t.Parallel()
	l, err := newLink("test", echo(t))
	require.NoError(t, err)
	conn := dial(t, l)
	require.NoError(t, send(t, conn, long))
	l.Cut()
	require.Error(t, send(t, conn, long))
	_, err = net.Dial("tcp", l.Address())
	require.Error(t, err)
	l.redirect(echo(t))
	require.NoError(t, l.Restore())
	require.NoError(t, send(t, dial(t, l), long))
	l.Cut()
}
