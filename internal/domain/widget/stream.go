package widget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/internal/platform/fanout"
)

const (
	// heartbeat is the time between two comments, which keep proxies from ending an idle
	// connection and find those that are gone.
	heartbeat = 25 * time.Second
	// readTimeout bounds how long a stream waits for its turn and reads.
	readTimeout = 30 * time.Second
)

// Output writes to a stream's client. It does not wait for a slow one for long.
type Output interface {
	// Events writes events.
	Events(events []Event) error
	// Heartbeat writes a comment.
	Heartbeat() error
}

// Stream is an open stream of a visitor.
type Stream struct {
	streams *Streams
	session *Session
	address string
	lives   time.Duration // until the session ends
	feed    feed
	ended   chan struct{}

	// identity is where the beginning of a conversation is announced, and changes, which
	// may be nil, what happens in the current one.
	identity, changes *fanout.Subscription
	following         uuid.UUID

	// seen is the position as Streams compares it, which holds the lock of Streams.
	seen Position
	// expired is set before ended is closed if the channel is gone.
	expired bool
}

// End ends the stream, if it has not ended.
func (s *Stream) End() { s.streams.end(s) }

// Discard closes a stream that does not run.
func (s *Stream) Discard() { s.streams.remove(s) }

// Run writes to a client until the stream ends: by End, with the session or its channel, with
// an error of out or of the database. The client then opens another one.
func (s *Stream) Run(ctx context.Context, out Output) error {
	defer s.streams.remove(s)
	s.identity = s.streams.Hub.Subscribe(s.session.Topic())
	defer s.identity.Close()
	defer func() { s.follow(uuid.Nil) }()
	expiry := time.NewTimer(s.lives)
	defer expiry.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if err := out.Heartbeat(); err != nil { // the client learns that it is connected
		return err
	}
	for changed := true; ; {
		if changed {
			if err := apart(func() error { return s.advance(ctx, out) }); err != nil {
				return err
			}
		}
		var err error
		changed = false
		select {
		case <-s.ended:
			if s.expired {
				return expire(out)
			}
			return nil
		case <-expiry.C:
			return expire(out)
		case <-beat.C:
			err = out.Heartbeat()
		case signal := <-s.signals():
			err = pass(out, signal)
		case <-s.identity.Changed():
			changed = true
		case <-s.changed():
			changed = true
		}
		if err != nil {
			return err
		}
	}
}

// apart runs fn on a stack of its own: the stack of a stream would keep the size that reading
// needs for as long as the stream is open. A panic becomes an error, as it does in requests.
func apart(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("reading ended early")
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
			}
			done <- err
		}()
		err = fn()
	}()
	return <-done
}

func expire(out Output) error {
	return out.Events([]Event{{Name: "expired", Data: struct{}{}}})
}

func (s *Stream) signals() <-chan json.RawMessage {
	if s.changes == nil {
		return nil
	}
	return s.changes.Signals()
}

func (s *Stream) changed() <-chan struct{} {
	if s.changes == nil {
		return nil
	}
	return s.changes.Changed()
}

// follow subscribes to a conversation in place of another one.
func (s *Stream) follow(conversationID uuid.UUID) {
	if s.following == conversationID {
		return
	}
	if s.changes != nil {
		s.changes.Close()
		s.changes = nil
	}
	if s.following = conversationID; conversationID != uuid.Nil {
		s.changes = s.streams.Hub.Subscribe(conversationID)
	}
}

// advance writes what has happened. It waits for its turn, so that many streams that are
// woken concurrently do not use all connections to the database; while it writes, it holds
// neither a turn nor a connection.
func (s *Stream) advance(ctx context.Context, out Output) error {
	for more := true; more; {
		var events []Event
		err := s.streams.turns.do(ctx, s.session.WorkspaceID, readTimeout, func(ctx context.Context) (err error) {
			events, more, err = s.feed.next(ctx, s.follow)
			return err
		})
		if err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if len(events) > 0 {
			if err := out.Events(events); err != nil {
				return err
			}
		}
		s.streams.saw(s, s.feed.at)
	}
	return nil
}

// pass passes on that an agent or operator is writing, and the drafts of agents.
func pass(out Output, signal json.RawMessage) error {
	var typing api.WidgetTypingEvent
	if err := json.Unmarshal(signal, &typing); err == nil && typing.Author.Valid() && typing.Author != api.MessageAuthorTypeCONTACT {
		return out.Events([]Event{{Name: "typing", Data: typing}})
	}
	return nil
}
