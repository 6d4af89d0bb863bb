package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/outbound"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/platform/fanout"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/wake"
)

var (
	// errTaken means that another connection holds the conversation.
	errTaken = errors.New("live: another connection has the conversation")
	// errFlood means that the channel sends more frames than it may.
	errFlood = errors.New("live: too many frames")
)

// connection is one connection. All but read and ping run in one goroutine.
type connection struct {
	*Engine

	conn    *websocket.Conn
	opened  channel.Opened
	session provider.Session
	allowed func(context.Context) bool
	frames  chan []byte
	hold    *outbound.Hold
	hints   *fanout.Subscription
}

// store stores what a frame reports, and holds the conversation of a message in the same
// transaction: no other process may send a reply meanwhile.
func (c *connection) store(ctx context.Context, items []provider.Item) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var taken *outbound.Hold
	receiver := *c.Inbound
	receiver.Within = func(ctx context.Context, tx postgres.Tx, received conversation.Received) (err error) {
		if c.hold == nil || c.hold.ConversationID() != received.Conversation.ID {
			taken, err = c.Outbound.Hold(ctx, tx, received.Conversation.WorkspaceID, received.Conversation.ID, holdLease)
		}
		return err
	}
	err := receiver.Store(ctx, c.opened, items) // what is stored already is ignored
	if taken != nil {
		c.keep(ctx, taken)
	}
	return err
}

// read passes on the frames of the provider until the connection ends.
func (c *connection) read(ctx context.Context) {
	defer close(c.frames)
	for {
		_, frame, err := c.conn.Read(ctx)
		if err != nil {
			return
		}
		select {
		case c.frames <- frame:
		case <-ctx.Done():
			return
		}
	}
}

// ping returns once the other side does not respond.
func (c *connection) ping(ctx context.Context) {
	for ctx.Err() == nil {
		wake.Sleep(ctx, pingEvery)
		pinging, cancel := context.WithTimeout(ctx, writeTimeout)
		err := c.conn.Ping(pinging)
		cancel()
		if err != nil {
			return
		}
	}
}

// run receives and speaks until the connection ends.
func (c *connection) run(ctx context.Context) error {
	renew, poll, quiet := time.NewTicker(renewEvery), time.NewTicker(c.Poll), time.NewTimer(maxQuiet)
	defer renew.Stop()
	defer poll.Stop()
	defer quiet.Stop()
	stopped := c.stopped()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stopped:
			return c.end(ctx, provider.Restart)
		case <-quiet.C:
			return c.end(ctx, provider.Quiet)
		case <-renew.C:
			if err := c.renew(ctx); err != nil {
				return err
			}
		case frame, ok := <-c.frames:
			if !ok {
				return nil
			}
			quiet.Reset(maxQuiet)
			if err := c.receive(ctx, frame); err != nil {
				return err
			}
		case <-poll.C:
		case <-c.changed():
		}
		if err := c.speak(ctx); err != nil {
			return err
		}
	}
}

// changed is readable after the conversation has changed.
func (c *connection) changed() <-chan struct{} {
	if c.hints == nil {
		return nil
	}
	return c.hints.Changed()
}

// receive stores what a frame reports.
func (c *connection) receive(ctx context.Context, frame []byte) error {
	if !c.allowed(ctx) {
		return errFlood
	}
	items, err := c.session.Receive(c.Clock.Now(), frame)
	if errors.Is(err, provider.ErrMalformed) {
		c.Log.WarnContext(ctx, "a frame of a provider cannot be read", "channelId", c.opened.Row.ID, "error", provider.Redact(c.opened.Channel, err.Error()))
		return nil
	} else if err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	for try := 1; ; try++ {
		if err = c.store(ctx, items); err == nil || try == storeTries {
			break
		}
		wake.Sleep(ctx, storeWait)
	}
	if err != nil || c.hold != nil {
		return err
	}
	return c.follow(ctx)
}

// follow holds the conversation that the connection is about, if there is one already.
func (c *connection) follow(ctx context.Context) error {
	thread := c.session.Thread()
	if thread == "" {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	id, err := db.New().ConversationIDOfThread(asking, c.Inbound.DB, db.ConversationIDOfThreadParams{
		WorkspaceID: c.opened.Row.WorkspaceID, ChannelID: c.opened.Row.ID, ThreadExternalID: thread,
	})
	if postgres.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find conversation: %w", err)
	}
	taken, err := c.Outbound.Hold(asking, c.Inbound.DB, c.opened.Row.WorkspaceID, id, holdLease)
	if err == nil {
		c.keep(ctx, taken)
	}
	return err
}

// keep releases the conversation that was held before, and listens for changes of this one.
func (c *connection) keep(ctx context.Context, taken *outbound.Hold) {
	c.release(ctx)
	c.hold = taken
	if c.Hub != nil {
		c.hints = c.Hub.Subscribe(taken.ConversationID())
	}
}

// release lets others send the messages of the conversation.
func (c *connection) release(ctx context.Context) {
	if c.hints != nil {
		c.hints.Close()
		c.hints = nil
	}
	if c.hold == nil {
		return
	}
	if err := c.hold.Release(ctx); err != nil {
		c.Log.WarnContext(ctx, "a conversation stays held until its lease ends", "conversationId", c.hold.ConversationID(), "error", err)
	}
	c.hold = nil
}

func (c *connection) renew(ctx context.Context) error {
	if c.hold == nil {
		return nil
	}
	held, err := c.hold.Renew(ctx)
	if err == nil && !held {
		err = errTaken
	}
	return err
}

// speak sends the messages of the conversation that are due.
func (c *connection) speak(ctx context.Context) error {
	if c.hold == nil {
		return nil
	}
	return c.Outbound.SendHeld(ctx, c.opened, c.hold.ConversationID(), c.say)
}

// say implements outbound.Send. A frame that was written in part, or to a connection that has
// just broken, may have been heard.
func (c *connection) say(ctx context.Context, m provider.Outbound) (provider.Sent, error) {
	frame, externalID, err := c.session.Say(m)
	if err != nil {
		return provider.Sent{}, err
	}
	if err := c.write(ctx, frame); err != nil {
		return provider.Sent{}, &provider.SendError{Kind: provider.Retryable, Detail: "The connection broke.", Ambiguous: true, Cause: err}
	}
	return provider.Sent{ExternalIDs: []string{externalID}}, nil
}

func (c *connection) write(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// end asks the provider to end the connection, and waits until it has.
func (c *connection) end(ctx context.Context, why provider.Ending) error {
	if err := c.write(ctx, c.session.End(why)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case frame, ok := <-c.frames:
			if !ok {
				return nil
			}
			if err := c.receive(ctx, frame); err != nil {
				return err
			}
		}
	}
}
