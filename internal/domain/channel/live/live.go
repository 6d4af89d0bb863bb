// Package live talks with contacts over WebSockets that providers open, such as calls that are
// transcribed and spoken to. The process that has the connection holds the conversation: it
// sends the messages of the conversation itself, and other processes leave them alone.
package live

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/inbound"
	"github.com/avelto/convo/internal/domain/channel/outbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/fanout"
)

const (
	// maxConnections bounds the connections of a process. No workspace may have more than are
	// free, so that there are always some for others.
	maxConnections = 1000
	// MaxFrame bounds a frame of a provider, in bytes.
	MaxFrame = 64 << 10
	// holdLease is for how long a conversation stays held by a process that has died, and
	// renewEvery the time between two renewals.
	holdLease  = 30 * time.Second
	renewEvery = 10 * time.Second
	// pingEvery is the time between two pings, and writeTimeout bounds each frame and the
	// wait for the reply to a ping.
	pingEvery    = 15 * time.Second
	writeTimeout = 10 * time.Second
	// maxQuiet is how long no one has to speak until a conversation is ended, and maxLength
	// the longest connection: as long as Twilio lets a call last.
	maxQuiet  = 10 * time.Minute
	maxLength = 4 * time.Hour
	// closeTimeout bounds the wait for the provider to close a connection that was ended.
	closeTimeout = 5 * time.Second
	// storeTries is how often a frame is stored if the database fails, since no one sends it
	// again, and storeWait the wait between.
	storeTries   = 4
	storeWait    = 500 * time.Millisecond
	storeTimeout = 10 * time.Second
)

// ErrFull means that the process, or the workspace, has as many connections as it may have.
var ErrFull = errors.New("live: too many connections")

// Engine serves connections.
type Engine struct {
	Inbound  *inbound.Engine
	Outbound *outbound.Engine
	// Hub tells when a conversation has changed; nil if no one does.
	Hub   *fanout.Hub
	Clock clock.Clock
	Log   *slog.Logger
	// Poll is the time between two looks for messages of which no hint has arrived.
	Poll time.Duration

	mu      sync.Mutex
	closing chan struct{} // closed once the process stops; see stopped
	total   int
	held    map[uuid.UUID]int // by workspace
	running sync.WaitGroup
}

// Enter takes a place for a connection of a workspace, which Serve gives back, as leave does. It
// fails with ErrFull.
func (e *Engine) Enter(workspaceID uuid.UUID) (leave func(), err error) {
	stopped := e.stopped()
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-stopped:
		return nil, ErrFull
	default:
	}
	if e.held == nil {
		e.held = map[uuid.UUID]int{}
	}
	if e.held[workspaceID] >= maxConnections-e.total {
		return nil, ErrFull
	}
	e.total++
	e.held[workspaceID]++
	e.running.Add(1)
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.total--
		if e.held[workspaceID]--; e.held[workspaceID] == 0 {
			delete(e.held, workspaceID)
		}
		e.running.Done()
	}), nil
}

// stopped is closed once the process stops.
func (e *Engine) stopped() chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing == nil {
		e.closing = make(chan struct{})
	}
	return e.closing
}

// Run waits until ctx ends. Then it ends all connections, whose providers connect to another
// process, and waits for them.
func (e *Engine) Run(ctx context.Context) {
	<-ctx.Done()
	stopped := e.stopped()
	e.mu.Lock()
	close(stopped)
	e.mu.Unlock()
	e.running.Wait()
}

// Serve talks over a connection until it ends. allowed reports whether the channel may send
// another frame.
func (e *Engine) Serve(conn *websocket.Conn, opened channel.Opened, session provider.Session, allowed func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), maxLength)
	defer cancel()
	conn.SetReadLimit(MaxFrame)
	c := &connection{Engine: e, conn: conn, opened: opened, session: session, allowed: allowed, frames: make(chan []byte)}
	var reading sync.WaitGroup
	reading.Go(func() { c.read(ctx) })
	reading.Go(func() {
		defer cancel()
		c.ping(ctx)
	})
	if err := c.run(ctx); err != nil && ctx.Err() == nil {
		e.Log.WarnContext(ctx, "connection to a contact ended", "channelId", opened.Row.ID, "error", provider.Redact(opened.Channel, err.Error()))
	}
	cancel()
	_ = conn.CloseNow()
	reading.Wait()
	c.release(ctx)
}
