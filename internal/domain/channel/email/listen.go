package email

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/avelto/convo/internal/domain/channel/provider"
)

const (
	// defaultIdleTime is how long IDLE runs before the mailbox is searched without it:
	// routers forget connections, and servers end IDLE after half an hour.
	defaultIdleTime     = 9 * time.Minute
	defaultPollInterval = time.Minute
	// page is how many messages are listed at a time.
	page = 100
)

// state is what the channel keeps of its mailbox.
type state struct {
	// Mailbox is the one that the rest is about.
	Mailbox string `json:"mailbox"`
	// UID is that of the last message that was handled. It means nothing once the
	// UIDVALIDITY of the mailbox has changed.
	UIDValidity uint32   `json:"uidValidity"`
	UID         imap.UID `json:"uid"`
	// Since is when the last message that was handled had arrived, or when the channel
	// was connected.
	Since time.Time `json:"since"`
	// After and Through are set once UIDVALIDITY has changed: messages with UIDs up to
	// Through are new only if they arrived then or later.
	After   time.Time `json:"after,omitzero"`
	Through imap.UID  `json:"through,omitzero"`
}

// isNew reports whether a message has not been handled.
func (s state) isNew(one listed) bool {
	return one.uid > s.UID && (one.uid > s.Through || !one.arrived.Before(s.After.Truncate(time.Second)))
}

// listening is a mailbox being read.
type listening struct {
	*Provider
	*imapSession

	settings config
	state    state
	deliver  func(ctx context.Context, items []provider.Item, state json.RawMessage) error
}

// Listen implements provider.Listener: it passes on the messages that arrive in the mailbox
// after the channel was connected. It fails with *provider.SendError when the server refuses
// or the connection breaks, and with the error of deliver.
func (p *Provider) Listen(ctx context.Context, c provider.Channel, deliver func(context.Context, []provider.Item, json.RawMessage) error) error {
	settings, err := configOf(c)
	if err != nil || settings.Inbound != byIMAP || settings.IMAP == nil {
		return misconfigured(err)
	}
	session, err := p.openIMAP(ctx, c, *settings.IMAP)
	if err != nil {
		return err
	}
	defer session.close()
	l := &listening{Provider: p, imapSession: session, settings: settings, deliver: deliver}
	if len(c.State) > 0 {
		if err := json.Unmarshal(c.State, &l.state); err != nil {
			return fmt.Errorf("email: state: %w", err)
		}
	}
	if err := l.begin(ctx); err != nil {
		return l.explain(ctx, err)
	}
	return l.explain(ctx, l.follow(ctx))
}

// explain returns the error of Listen: that of ctx if it has ended, since the connection
// was closed for it.
func (l *listening) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed, ok := errors.AsType[*deliverError](err); ok {
		return failed.err
	}
	return l.refused(err, false)
}

// deliverError is an error of deliver, which is not the server's.
type deliverError struct{ err error }

// Error implements error.
func (e *deliverError) Error() string { return e.err.Error() }

// begin finds out where to continue. A mailbox that is new to the channel begins with the
// next message. If UIDVALIDITY has changed, all messages have other UIDs: it continues with
// those that arrived since the last one. The engine drops what it has seen, by Message-ID.
func (l *listening) begin(ctx context.Context) error {
	selected := l.selected
	if l.state.Mailbox == l.sameMailbox() && l.state.UIDValidity == selected.UIDValidity {
		return nil
	}
	next := selected.UIDNext
	if next == 0 { // the server does not tell
		uids, err := l.search(&imap.SearchCriteria{})
		if err != nil {
			return err
		}
		next = 1
		if len(uids) > 0 {
			next = uids[len(uids)-1] + 1
		}
	}
	begun := state{Mailbox: l.sameMailbox(), UIDValidity: selected.UIDValidity, UID: next - 1, Since: time.Now().UTC()}
	if l.state.Mailbox == begun.Mailbox {
		begun.UID, begun.Since, begun.After, begun.Through = 0, l.state.Since, l.state.Since, next-1
	}
	l.state = begun
	return l.pass(ctx, nil)
}

// follow passes on what arrives, until the connection breaks.
func (l *listening) follow(ctx context.Context) error {
	for {
		uids, err := l.search(&imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: l.state.UID + 1}}}})
		if err != nil {
			return err
		}
		if err := l.handle(ctx, uids); err != nil {
			return err
		}
		if err := l.wait(ctx); err != nil {
			return err
		}
	}
}

// search returns UIDs in their order. The server may also return the last message of the
// mailbox, which can be before the first one that was asked for.
func (l *listening) search(criteria *imap.SearchCriteria) (uids []imap.UID, err error) {
	err = l.within(commandTimeout, func() error {
		found, err := l.client.UIDSearch(criteria, nil).Wait()
		if err == nil {
			uids = found.AllUIDs()
		}
		return err
	})
	return uids, err
}

// wait returns when messages may have arrived. Without IDLE, it asks at intervals.
func (l *listening) wait(ctx context.Context) error {
	idles := l.idles()
	if !idles {
		if err := l.pause(ctx, cmp.Or(l.PollInterval, defaultPollInterval)); err != nil {
			return err
		}
	}
	// The server reports what has arrived meanwhile: IDLE of some servers does not.
	err := l.within(commandTimeout, func() error { return l.client.Noop().Wait() })
	if err != nil || !idles || len(l.changed) > 0 {
		l.forget()
		return err
	}
	return l.idle(ctx)
}

// idle returns when the server tells that messages have arrived, or after a while.
func (l *listening) idle(ctx context.Context) error {
	var command *imapclient.IdleCommand
	err := l.within(commandTimeout, func() (err error) {
		command, err = l.client.Idle()
		return err
	})
	if err != nil {
		return err
	}
	if err := l.pause(ctx, cmp.Or(l.idleTime, defaultIdleTime)); err != nil {
		return err
	}
	return l.within(commandTimeout, func() error {
		if err := command.Close(); err != nil {
			return err
		}
		return command.Wait()
	})
}

// forget forgets that messages have arrived, before they are searched for.
func (l *listening) forget() {
	select {
	case <-l.changed:
	default:
	}
}

// pause waits until messages arrive, or for a time.
func (l *listening) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.client.Closed():
		return io.ErrUnexpectedEOF
	case <-timer.C:
	case <-l.changed:
	}
	return nil
}

// handle passes on the messages that are new, each with the state after it.
func (l *listening) handle(ctx context.Context, uids []imap.UID) error {
	for len(uids) > 0 {
		n := min(len(uids), page)
		messages, err := l.list(uids[:n])
		if err != nil {
			return err
		}
		for _, one := range messages {
			if !l.state.isNew(one) {
				continue
			}
			found, err := l.open(ctx, one)
			if err != nil {
				return err
			}
			l.state.UID = one.uid
			if one.arrived.After(l.state.Since) {
				l.state.Since = one.arrived
			}
			if err := l.pass(ctx, found); err != nil {
				return err
			}
		}
		uids = uids[n:]
	}
	return nil
}

// pass gives items with the state to the engine.
func (l *listening) pass(ctx context.Context, found []provider.Item) error {
	encoded, err := json.Marshal(l.state)
	if err != nil {
		return fmt.Errorf("email: state: %w", err)
	}
	if err := l.deliver(ctx, found, encoded); err != nil {
		return &deliverError{err}
	}
	return nil
}
