package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/web"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/share"
)

const (
	// Streams beyond these are refused.
	maxStreamsPerUser      = 12
	maxStreamsPerWorkspace = 500
	maxStreams             = 2_000
	// streamLife is how long a stream lives: the next one checks the session again.
	streamLife = 10 * time.Minute
	// streamBeat is the time between two heartbeats, at which a stream also looks whether a
	// hint was lost.
	streamBeat        = 5 * time.Second
	streamReadTimeout = 10 * time.Second
)

// Streams holds the streams of conversations that the console has open in a process. They hold
// a connection to the database only while they read.
type Streams struct {
	hub   *fanout.Hub
	log   *slog.Logger
	reads share.Shares
	ended chan struct{}

	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	all     int
	open    map[uuid.UUID]int // by user and by workspace
}

// NewStreams returns a process's streams.
func NewStreams(hub *fanout.Hub, log *slog.Logger) *Streams {
	return &Streams{
		hub: hub, log: log, ended: make(chan struct{}), open: map[uuid.UUID]int{},
		reads: share.Shares{MaxWaiting: maxStreamsPerWorkspace, MaxWait: streamReadTimeout},
	}
}

// Run ends all streams when ctx ends, and returns when they have ended.
func (s *Streams) Run(ctx context.Context) {
	<-ctx.Done()
	s.mu.Lock()
	s.closed = true
	close(s.ended)
	s.mu.Unlock()
	s.running.Wait()
}

// enter counts a stream, and reports whether there is room for it.
func (s *Streams) enter(userID, workspaceID uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.all >= maxStreams || s.open[userID] >= maxStreamsPerUser || s.open[workspaceID] >= maxStreamsPerWorkspace {
		return false
	}
	s.all++
	s.open[userID]++
	s.open[workspaceID]++
	s.running.Add(1)
	return true
}

func (s *Streams) leave(userID, workspaceID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	for _, one := range []uuid.UUID{userID, workspaceID} {
		if s.open[one]--; s.open[one] == 0 {
			delete(s.open, one)
		}
	}
	s.running.Done()
}

// watch is the stream of a conversation to a page.
type watch struct {
	*console

	visitor        visitor
	conversationID uuid.UUID
	at             conversation.Position
}

// streamConversation sends what changes in a conversation. It is not a page: it loads the
// session itself, since nothing can be written after it has taken the connection over.
func (c *console) streamConversation(w http.ResponseWriter, r *http.Request) {
	one, status := c.openStream(r)
	if status != http.StatusOK {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, http.StatusText(status), status)
		return
	}
	conn, err := web.TakeOver(w)
	if err != nil {
		c.Streams.leave(one.visitor.User.ID, one.visitor.Workspace.ID)
		c.Log.ErrorContext(r.Context(), "stream not opened", "error", err)
		return
	}
	go one.serve(conn) //nolint:contextcheck // it outlives the request
}

// openStream checks the session and the conversation, and counts the stream.
func (c *console) openStream(r *http.Request) (one *watch, status int) {
	ctx := r.Context()
	var token string
	if cookie, err := r.Cookie(c.sessions.Cookie.Name); err == nil {
		token = cookie.Value
	}
	ctx, err := c.sessions.Load(ctx, token)
	if err != nil {
		return nil, http.StatusServiceUnavailable
	}
	v, err := c.visitor(ctx)
	if err != nil || len(v.Workspaces) == 0 {
		return nil, http.StatusUnauthorized
	}
	conversationID, err := pathID(r, "id")
	if err != nil {
		return nil, http.StatusNotFound
	}
	at, ok := conversation.ParsePosition(r.Header.Get("Last-Event-ID"))
	if !ok {
		if at, ok = conversation.ParsePosition(r.URL.Query().Get("after")); !ok {
			return nil, http.StatusBadRequest
		}
	}
	if _, err := c.Conversations.ChangesSince(ctx, v.Workspace.ID, conversationID, at); err != nil {
		return nil, c.Document.Errors[problem.Classify(err).Code].Status
	}
	if !c.Streams.enter(v.User.ID, v.Workspace.ID) {
		return nil, http.StatusTooManyRequests
	}
	return &watch{c, v, conversationID, at}, http.StatusOK
}

// serve writes to a connection until the stream ends, and closes it.
func (o *watch) serve(conn web.EventStream) {
	defer o.Streams.leave(o.visitor.User.ID, o.visitor.Workspace.ID)
	defer conn.Close()
	defer func() {
		if fault := recover(); fault != nil {
			o.Log.Error("stream of the console failed", "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
		}
	}()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		conn.Ignore()
	}()
	if err := o.run(conn, gone); err != nil {
		o.Log.Debug("stream of the console ended", "error", err)
	}
}

func (o *watch) run(conn web.EventStream, gone <-chan struct{}) error {
	changes := o.Streams.hub.Subscribe(o.conversationID)
	defer changes.Close()
	life, beat := time.NewTimer(streamLife), time.NewTicker(streamBeat)
	defer life.Stop()
	defer beat.Stop()
	for {
		if err := o.advance(conn); err != nil {
			return err
		}
		select {
		case <-o.Streams.ended:
			return nil
		case <-gone:
			return nil
		case <-life.C:
			return nil
		case <-beat.C:
			if err := conn.Heartbeat(); err != nil {
				return err
			}
		case signal := <-changes.Signals():
			if err := conn.Send(web.Event{Name: "typing", Data: signal}); err != nil {
				return err
			}
		case <-changes.Changed():
		}
	}
}

// advance writes what has changed.
func (o *watch) advance(conn web.EventStream) error {
	for {
		read, err := o.read()
		if err != nil || read.At == o.at {
			return err
		}
		events, err := o.events(read)
		if err != nil {
			return err
		}
		if err := conn.Send(events...); err != nil {
			return err
		}
		if o.at = read.At; !read.More {
			return nil
		}
	}
}

func (o *watch) read() (conversation.Changes, error) {
	ctx, cancel := context.WithTimeout(context.Background(), streamReadTimeout)
	defer cancel()
	leave, err := o.Streams.reads.Enter(ctx, o.visitor.Workspace.ID)
	if err != nil {
		return conversation.Changes{}, err
	}
	defer leave()
	return o.Conversations.ChangesSince(ctx, o.visitor.Workspace.ID, o.conversationID, o.at)
}

// events renders changes as the page shows them. The last one has the ID to resume after.
func (o *watch) events(read conversation.Changes) ([]web.Event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), streamReadTimeout)
	defer cancel()
	names, err := o.names(ctx, o.visitor.Workspace.ID)
	if err != nil {
		return nil, err
	}
	events := make([]web.Event, 0, len(read.Messages)+1)
	for _, message := range o.show(ctx, read.Detail, names, read.Messages) {
		html, err := o.templates.Part("conversation", "message", message)
		if err != nil {
			return nil, err
		}
		events = append(events, web.Event{Name: "message", Data: map[string]string{"id": message.ID.String(), "html": string(html)}})
	}
	state := conversationState(read.Detail, names)
	head, err := o.templates.Part("conversation", "head", state)
	composer, composerErr := o.templates.Part("conversation", "composer", state)
	if err := errors.Join(err, composerErr); err != nil {
		return nil, err
	}
	return append(events, web.Event{Name: "conversation", ID: read.At.String(), Data: map[string]string{
		"position": read.At.String(), "head": string(head), "composer": string(composer),
	}}), nil
}
