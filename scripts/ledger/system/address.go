//go:build linux

package system

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
)

// Ports below those that the kernel gives to outgoing connections: an address stays free
// while its process is down.
const minPort, maxPort = 20_000, 30_000

// freeAddress returns a loopback address on which nothing listens.
func freeAddress() (string, error) {
	const tries = 100
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(minPort+rand.IntN(maxPort-minPort)))
		listener, err := net.Listen("tcp", address) //nolint:noctx // returns immediately
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("no free port")
}

func portOf(address string) int {
	_, text, _ := net.SplitHostPort(address) // of freeAddress
	port, _ := strconv.Atoi(text)
	return port
}

// through returns a URL with another host.
func through(address, rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	u.Host = address
	return u.String(), nil
}
