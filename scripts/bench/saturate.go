//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// conversation is a connection of the closed loop and its request in flight.
type conversation struct {
	fd       int
	begun    time.Time
	response []byte
}

// saturate keeps conns requests in flight for a time, from a single thread that waits for
// all of them with epoll(7). A thread or goroutine per connection would take CPU time
// from the servers, more so the faster they are.
func saturate(ctx context.Context, g *ground, addr string, work *workload, conns int, length time.Duration) (took []time.Duration, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(poll)) }()
	open := map[int32]*conversation{}
	defer func() {
		for _, c := range open {
			err = errors.Join(err, unix.Close(c.fd))
		}
	}()
	request := make([]byte, 0, 1<<10)
	next := func(c *conversation) error {
		request = work.write(request[:0], work.tenant(g))
		c.begun, c.response = time.Now(), c.response[:0]
		if n, err := unix.Write(c.fd, request); err != nil || n < len(request) {
			return fmt.Errorf("send %d of %d bytes: %w", n, len(request), err)
		}
		return nil
	}
	for range conns {
		c, err := connect(addr, poll)
		if err != nil {
			return nil, err
		}
		open[int32(c.fd)] = c
		if err := next(c); err != nil {
			return nil, err
		}
	}
	events, started := make([]unix.EpollEvent, conns), time.Now()
	for underWay := conns; underWay > 0; { // wait for requests in flight at the end
		n, err := unix.EpollWait(poll, events, int(length.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			c := open[event.Fd]
			done, err := c.receive(work.status)
			if err != nil {
				return nil, err
			}
			if !done {
				continue
			}
			took = append(took, time.Since(c.begun))
			if time.Since(started) > length || ctx.Err() != nil {
				underWay--
			} else if err := next(c); err != nil {
				return nil, err
			}
		}
	}
	return took, ctx.Err()
}

func (c *conversation) receive(status int) (done bool, err error) {
	c.response = slices.Grow(c.response, responseSize/2)
	n, err := unix.Read(c.fd, c.response[len(c.response):cap(c.response)])
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	if err != nil || n == 0 {
		return false, fmt.Errorf("receive: closed, %w", err)
	}
	c.response = c.response[:len(c.response)+n]
	return complete(c.response, status)
}

// connect opens a connection and registers it with epoll.
func connect(addr string, poll int) (*conversation, error) {
	to, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	err = errors.Join(
		unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetNonblock(fd, true),
		unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect: %w", err), unix.Close(fd))
	}
	return &conversation{fd: fd, response: make([]byte, 0, responseSize)}, nil
}
