package postgres

import (
	"net"
	"time"
)

const (
	connectTimeout = 5 * time.Second
	// maxUnchecked is how long a connection may be idle before it is checked, and
	// pingTimeout bounds the check.
	maxUnchecked = time.Second
	pingTimeout  = 2 * time.Second
	// closeTimeout bounds the wait for the other side when a connection is closed.
	closeTimeout = time.Second
	// unacknowledged is how long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT).
	unacknowledged    = 10 * time.Second
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
)

// newDialer returns a dialer whose connections notice within half a minute that the
// other side is gone, also while they are idle.
func newDialer() *net.Dialer {
	return &net.Dialer{
		Timeout: connectTimeout, Control: setUserTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount},
	}
}
